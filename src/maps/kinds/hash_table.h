// The chained hash table behind every hash kind: keys and chains only; what a value is, where elements
// come from and which one makes room when the table is full is the kind's.
//
// Readers take no lock. Writers of one chain hold its lock, which is in the word that leads to its first element (link_lock.h): two
// threads that change different chains write no common line but those of neighbours in the table of heads.
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
#include "maps/link_lock.h"
#include "maps/map_memory.h"
#include "ring3/result.h"

namespace ring3::maps {

class HashTable {
 public:
  /// entries: how many elements to expect. Errors: kNoMem; kTooBig more than 2^31 buckets.
  static Result<std::unique_ptr<HashTable>> make(std::uint32_t key_size, std::uint32_t entries, std::uint64_t seed);

  std::uint32_t hash(const void* key) const noexcept;
  std::uint32_t buckets() const noexcept { return bucket_mask_ + 1; }
  std::uint64_t memory_bytes() const noexcept;

  /// Inside a read section. seq: what the element's was, for unchanged().
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

  /// First element of a bucket's chain at this moment, and the one behind another; null at the end. Who looks at them holds the map alone.
  Element* first(std::uint32_t bucket) const noexcept { return Lock::address(head(bucket).load(std::memory_order_acquire)); }
  static Element* following(const Element* e) noexcept { return e->next.load(std::memory_order_acquire); }

  std::uint32_t bucket_of(std::uint32_t hash) const noexcept { return hash & bucket_mask_; }
  std::uint32_t key_size() const noexcept { return key_size_; }

 private:
  friend class ChainGuard;
  using Lock = LinkLock<Element>;

  HashTable(std::uint32_t key_size, std::uint32_t buckets, std::uint64_t seed, MapMemory heads);

  std::atomic<Element*>& head(std::uint32_t bucket) const noexcept {
    return reinterpret_cast<std::atomic<Element*>*>(heads_.data())[bucket];
  }
  bool key_equal(const Element* e, const void* key) const noexcept;

  const std::uint32_t key_size_;
  const std::uint32_t bucket_mask_;
  const std::uint64_t seed_;
  MapMemory heads_;
  LockWaiters waiters_;
};

/// Holds the chain of a hash, or of a bucket. Two chains are never held together.
class ChainGuard {
 public:
  ChainGuard(HashTable& table, std::uint32_t hash) noexcept
      : table_(table), head_(table.head(table.bucket_of(hash))), first_(HashTable::Lock::take(head_, table.waiters_)) {}
  ~ChainGuard() { HashTable::Lock::give_back(head_, first_, table_.waiters_); }
  ChainGuard(const ChainGuard&) = delete;
  ChainGuard& operator=(const ChainGuard&) = delete;

  /// Null: there is none.
  Element* find(const void* key, std::uint32_t hash) const noexcept;
  /// First and following elements; null at the end.
  Element* first() const noexcept { return first_; }
  static Element* following(const Element* e) noexcept { return e->next.load(std::memory_order_relaxed); }

  /// Lets in an element of this chain's hash; readers find it when the chain is given back.
  void link(Element* e) noexcept;
  /// Puts e in the place of old, which has the same key and leaves the table.
  void replace(Element* old, Element* e) noexcept;
  /// e is in the chain.
  void unlink(Element* e) noexcept;

 private:
  /// Lets what leads to e lead to `to`.
  void lead_past(Element* e, Element* to) noexcept;

  HashTable& table_;
  std::atomic<Element*>& head_;
  Element* first_;
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
  if (Lock::held(first)) [[unlikely]]
    return find(key, hash);
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
