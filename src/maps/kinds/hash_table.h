// The chained hash table behind every hash kind: keys and chains only; what a value is, where elements
// come from and which one makes room when the table is full is the kind's.
//
// Readers take no lock. Writers of one chain hold its shard.
//
// Why find() is right although elements may be reused at once (ElementPool). Call the time an element spends
// in the table under one key a life; `seq` is even during a life, odd between lives, and never repeats.
//  * The reader hops from one life to the next. A hop is believed only if the element it stands on still has
//    the same seq after the next one's seq was read, and still leads there: then, at that time, both lives
//    were in the chain, one behind the other. Otherwise it starts over, which a writer's progress caused.
//  * Writers never change the order of a chain: new keys come in at the head, an update puts the new element
//    in the place of the old one. So a key that is present all the while is behind every other life the
//    reader stands on, and cannot be passed over; at the end of the chain it is certain not to be there.
//  * A match is believed only if seq is the same after the key was compared.
//  * Key and hash are written only between lives (write_key orders these stores after the odd seq, link() and
//    replace() before the even one). Writers of a chain are serial, so a stale link of a removed element is
//    never followed: its odd seq was stored before anything behind it could leave.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "maps/kinds/element.h"
#include "maps/kinds/hash_key.h"
#include "maps/map_memory.h"
#include "maps/word_lock.h"
#include "ring3/result.h"

namespace ring3::maps {

class HashTable {
 public:
  struct alignas(64) Shard {
    WordLock lock;
    // Elements kept for the next that come in (ElementHeap), linked by `next`.
    std::uint32_t kept RING3_GUARDED_BY(lock) = 0;
    Element* first_kept RING3_GUARDED_BY(lock) = nullptr;
  };

  /// entries: how many elements to expect. Errors: kNoMem; kTooBig more than 2^31 buckets.
  static Result<std::unique_ptr<HashTable>> make(std::uint32_t key_size, std::uint32_t entries, std::uint64_t seed);

  std::uint32_t hash(const void* key) const noexcept;
  Shard& shard(std::uint32_t hash) noexcept { return shards_[hash & shard_mask_]; }
  std::uint32_t buckets() const noexcept { return bucket_mask_ + 1; }
  std::uint32_t shards() const noexcept { return shard_mask_ + 1; }
  std::uint64_t memory_bytes() const noexcept;
  /// The lock of a bucket's chain.
  Shard& shard_of_bucket(std::uint32_t bucket) noexcept { return shards_[bucket & shard_mask_]; }

  /// Inside a read section, or with the shard held. seq: what the element's was, for unchanged().
  Element* find(const void* key, std::uint32_t hash, std::uint32_t* seq = nullptr) const noexcept;
  /// find() for a Key of hash_key.h that has this size.
  template <typename Key>
  Element* find_as(const void* key) const noexcept;
  /// The same, for a key of any size.
  Element* find(const void* key) const noexcept;
  /// After reading a found element's value without a lock: it belonged to that key all the while.
  static bool unchanged(const Element* e, std::uint32_t seq) noexcept {
    std::atomic_thread_fence(std::memory_order_acquire);
    return e->seq.load(std::memory_order_relaxed) == seq;
  }

  /// Writes key and hash into an element that is in no table. Comes before the value is written.
  void write_key(Element* e, const void* key, std::uint32_t hash) const noexcept;

  // With the shard of e's hash held (not expressible to the analysis: the shard is computed).
  void link(Element* e) noexcept;
  /// Puts e in the place of old, which has the same key and leaves the table.
  void replace(Element* old, Element* e) noexcept;
  /// e is in the table.
  void unlink(Element* e) noexcept;
  /// First and following elements of a bucket's chain; null at the end.
  Element* first(std::uint32_t bucket) const noexcept;
  Element* following(const Element* e) const noexcept;

  std::uint32_t bucket_of(std::uint32_t hash) const noexcept { return hash & bucket_mask_; }
  std::uint32_t key_size() const noexcept { return key_size_; }

 private:
  HashTable(std::uint32_t key_size, std::uint32_t buckets, std::uint64_t seed, MapMemory heads,
            std::unique_ptr<Shard[]> shards, std::uint32_t shards_count);

  std::atomic<Element*>& head(std::uint32_t bucket) const noexcept {
    return reinterpret_cast<std::atomic<Element*>*>(heads_.data())[bucket];
  }
  /// The link that leads to e. The shard is held and e is in the table.
  std::atomic<Element*>& link_to(Element* e) noexcept;
  bool key_equal(const Element* e, const void* key) const noexcept;

  const std::uint32_t key_size_;
  const std::uint32_t bucket_mask_;
  const std::uint32_t shard_mask_;
  const std::uint64_t seed_;
  MapMemory heads_;
  const std::unique_ptr<Shard[]> shards_;
};

// Most keys are in the first two elements of their chain. Which of the two is chosen by arithmetic: chains differ from key to
// key, and a wrong guess here would wait for two loads that may miss the cache. What was chosen is then believed for
// the reasons above: an element with this key in one life of its own, wherever the reader came from; or, where there is
// none, the end of the chain behind an element that still leads there.
template <typename Key>
Element* HashTable::find_as(const void* key) const noexcept {
  const Key wanted(key);
  const auto key_is = [&wanted](const Element* e) { return wanted.is_at(e->key()); };
  const std::uint32_t hash = wanted.hash(seed_);
  const std::atomic<Element*>& start = head(bucket_of(hash));
  Element* const first = start.load(std::memory_order_acquire);
  if (first == nullptr) return nullptr;
  const std::uint32_t first_life = first->seq.load(std::memory_order_acquire);
  const auto behind = reinterpret_cast<std::uintptr_t>(first->next.load(std::memory_order_acquire));
  const std::uintptr_t is_first = key_is(first) ? ~std::uintptr_t{0} : 0;
  auto* const e = reinterpret_cast<Element*>(behind ^ ((behind ^ reinterpret_cast<std::uintptr_t>(first)) & is_first));
  if (e != nullptr) {
    const std::uint32_t life = e->seq.load(std::memory_order_acquire);
    if (key_is(e) && (life & 1) == 0 && unchanged(e, life)) return e;
  } else if ((first_life & 1) == 0 && start.load(std::memory_order_relaxed) == first && unchanged(first, first_life)) {
    return nullptr;
  }
  return find(key, hash);
}

}  // namespace ring3::maps
