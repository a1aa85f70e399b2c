#include "maps/kinds/hash_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/try.h"
#include "maps/shared_words.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kMaxBuckets = 1u << 31;

template <typename Word>
Word read_word(const void* p) noexcept {
  Word w;
  std::memcpy(&w, p, sizeof w);
  return w;
}

}  // namespace

HashTable::HashTable(std::uint32_t key_size, std::uint32_t buckets, std::uint64_t seed, MapMemory heads)
    : key_size_(key_size), bucket_mask_(buckets - 1), seed_(seed), heads_(std::move(heads)) {}

Result<std::unique_ptr<HashTable>> HashTable::make(std::uint32_t key_size, std::uint32_t entries, std::uint64_t seed) {
  if (entries > kMaxBuckets) return Errno::kTooBig;
  // Half full at most: a lookup's branches are foretold where most chains are one element long.
  const std::uint32_t buckets = entries > kMaxBuckets / 2 ? kMaxBuckets : std::bit_ceil(entries) * 2;
  MapMemory heads = RING3_TRY(MapMemory::zeroed(std::uint64_t{buckets} * sizeof(std::atomic<Element*>)));
  if (fault_point()) return Errno::kNoMem;
  return std::unique_ptr<HashTable>(new HashTable(key_size, buckets, seed, std::move(heads)));
}

std::uint64_t HashTable::memory_bytes() const noexcept {
  return heads_.bytes() + sizeof *this;
}

std::uint32_t HashTable::hash(const void* key) const noexcept {
  std::uint32_t hash = 0;
  if (with_hash_key(key_size_, [&]<typename Key>() { hash = Key(key).hash(seed_); })) return hash;
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(key, key_size_, seed_));
}

bool HashTable::key_equal(const Element* e, const void* key) const noexcept {
  const std::byte* mine = e->key();
  if (key_size_ == 4)
    return __atomic_load_n(reinterpret_cast<const std::uint32_t*>(mine), __ATOMIC_RELAXED) ==
           read_word<std::uint32_t>(key);
  const auto* theirs = static_cast<const std::byte*>(key);
  std::uint32_t off = 0;
  for (; off + 8 <= key_size_; off += 8)
    if (__atomic_load_n(reinterpret_cast<const std::uint64_t*>(mine + off), __ATOMIC_RELAXED) !=
        read_word<std::uint64_t>(theirs + off))
      return false;
  if (off == key_size_) return true;
  std::uint64_t tail = 0;  // stored keys are padded with zeros
  std::memcpy(&tail, theirs + off, key_size_ - off);
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(mine + off), __ATOMIC_RELAXED) == tail;
}

Element* HashTable::find(const void* key, std::uint32_t hash, std::uint32_t* seq) const noexcept {
start:
  const std::atomic<Element*>* link = &head(bucket_of(hash));
  const Element* at = nullptr;  // the element we stand on, `at_seq` its life; null: the head
  std::uint32_t at_seq = 0;
  for (;;) {
    Element* e = Lock::address(link->load(std::memory_order_acquire));
    const std::uint32_t life = e ? e->seq.load(std::memory_order_acquire) : 0;
    if ((life & 1) != 0 || Lock::address(link->load(std::memory_order_relaxed)) != e || (at && !unchanged(at, at_seq))) goto start;
    if (!e) return nullptr;
    if (e->hash.load(std::memory_order_relaxed) == hash && key_equal(e, key)) {
      if (!unchanged(e, life)) goto start;
      if (seq) *seq = life;
      return e;
    }
    at = e;
    at_seq = life;
    link = &e->next;
  }
}

Element* HashTable::find(const void* key) const noexcept {
  Element* found = nullptr;
  if (with_hash_key(key_size_, [&]<typename Key>() { found = find_as<Key>(key); })) return found;
  return find(key, hash(key));
}

void HashTable::write_key(Element* e, const void* key, std::uint32_t hash) const noexcept {
  RING3_CHECK((e->seq.load(std::memory_order_relaxed) & 1) != 0, "writing the key of an element in use");
  // Whoever sees one of the stores below (or of the value, after them) also sees that seq is odd.
  std::atomic_thread_fence(std::memory_order_release);
  e->hash.store(hash, std::memory_order_relaxed);
  if (key_size_ == 4) {
    store_shared(e->key(), key, 4);
    zero_shared(e->key() + 4, 4);
    return;
  }
  const std::uint32_t whole = key_size_ & ~7u;
  store_shared(e->key(), key, whole);
  if (whole != key_size_) {
    std::uint64_t tail = 0;
    std::memcpy(&tail, static_cast<const std::byte*>(key) + whole, key_size_ - whole);
    store_shared(e->key() + whole, &tail, sizeof tail);
  }
}

namespace {

/// Starts or ends a life, after everything before.
void step_seq(Element* e) noexcept {
  e->seq.store(e->seq.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

}  // namespace

Element* ChainGuard::find(const void* key, std::uint32_t hash) const noexcept {
  // Nothing in the chain changes: no element's life has to be looked at. What is found is written.
  Element* e = first_;
  fetch_to_write(e);
  if (with_hash_key(table_.key_size(), [&]<typename Key>() {
        for (const Key wanted(key); e != nullptr && !wanted.is_at(e->key());) e = following(e);
      }))
    return e;
  while (e != nullptr && (e->hash.load(std::memory_order_relaxed) != hash || !table_.key_equal(e, key))) e = following(e);
  return e;
}

void ChainGuard::lead_past(Element* e, Element* to) noexcept {
  if (first_ == e) {
    first_ = to;
    head_.store(HashTable::Lock::with_lock(to), std::memory_order_release);
    return;
  }
  for (Element* at = first_;;) {
    RING3_CHECK(at != nullptr, "an element is not in its chain");
    Element* const next = following(at);
    if (next == e) return at->next.store(to, std::memory_order_release);
    at = next;
  }
}

void ChainGuard::link(Element* e) noexcept {
  e->next.store(first_, std::memory_order_relaxed);
  step_seq(e);
  first_ = e;
}

void ChainGuard::replace(Element* old, Element* e) noexcept {
  e->next.store(following(old), std::memory_order_relaxed);
  step_seq(e);
  lead_past(old, e);
  step_seq(old);
}

void ChainGuard::unlink(Element* e) noexcept {
  lead_past(e, following(e));
  step_seq(e);
}

}  // namespace ring3::maps
