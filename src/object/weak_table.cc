#include "object/weak_table.h"

#include <array>
#include <atomic>
#include <new>
#include <utility>

#include "base/fault_point.h"
#include "base/mutex.h"
#include "object/rcu.h"

namespace ring3::weak {
namespace {

struct Entry {
  Entry* next;
  const void* object;
  std::uint64_t* slot;
};

struct Bucket {
  Mutex mutex;
  Entry* first = nullptr;  // under mutex
};

constexpr std::size_t kBuckets = 4096;
std::array<Bucket, kBuckets> g_buckets;
std::atomic<std::size_t> g_filled{0};

Bucket& bucket_of(const void* object) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(object);
  return g_buckets[(address >> 4) * 0x9e3779b97f4a7c15u >> 52];
}
static_assert(kBuckets == std::size_t{1} << 12, "the shift above takes 12 bits");

void* value_of(const std::uint64_t* slot) noexcept {
  return reinterpret_cast<void*>(__atomic_load_n(slot, __ATOMIC_ACQUIRE));
}
void set(std::uint64_t* slot, const void* object) noexcept {
  __atomic_store_n(slot, reinterpret_cast<std::uintptr_t>(object), __ATOMIC_RELEASE);
}

/// The locks of up to two objects' buckets; null objects have none.
class BucketLocks {
 public:
  BucketLocks(const void* a, const void* b) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS
      : first_(a != nullptr ? &bucket_of(a) : nullptr), second_(b != nullptr ? &bucket_of(b) : nullptr) {
    if (second_ < first_) std::swap(first_, second_);
    if (first_ == second_) second_ = nullptr;
    if (first_ != nullptr) first_->mutex.lock();
    if (second_ != nullptr) second_->mutex.lock();
  }
  ~BucketLocks() RING3_NO_THREAD_SAFETY_ANALYSIS {
    if (second_ != nullptr) second_->mutex.unlock();
    if (first_ != nullptr) first_->mutex.unlock();
  }
  BucketLocks(const BucketLocks&) = delete;
  BucketLocks& operator=(const BucketLocks&) = delete;

 private:
  Bucket* first_;
  Bucket* second_;
};

/// The entry of a filled slot leaves its bucket, which is locked.
Entry* take(const void* object, const std::uint64_t* slot) noexcept {
  for (Entry** at = &bucket_of(object).first; *at != nullptr; at = &(*at)->next) {
    if ((*at)->slot != slot) continue;
    return std::exchange(*at, (*at)->next);
  }
  return nullptr;
}

void put(const void* object, std::uint64_t* slot, Entry* entry) noexcept {
  Bucket& bucket = bucket_of(object);
  *entry = {bucket.first, object, slot};
  bucket.first = entry;
  set(slot, object);
}

void forget(Entry* entry) noexcept {
  if (entry == nullptr) return;
  g_filled.fetch_sub(1, std::memory_order_relaxed);
  delete entry;
}

/// One turn of an exchange. False: the slot changed meanwhile. fresh: taken when it was used.
bool swap_in(std::uint64_t* slot, const void* expected, const void* object, Entry*& fresh, Entry*& stale) noexcept {
  const BucketLocks locks(expected, object);
  if (value_of(slot) != expected) return false;
  if (expected != nullptr) stale = take(expected, slot);
  if (object != nullptr) put(object, slot, std::exchange(fresh, nullptr));
  else set(slot, nullptr);
  return true;
}

}  // namespace

void* exchange(std::uint64_t* slot, void* object, const WeakType& type) noexcept {
  Entry* fresh = nullptr;
  if (object != nullptr && type.weaken(type.context, object) && !fault_point()) fresh = new (std::nothrow) Entry{};
  if (fresh != nullptr) g_filled.fetch_add(1, std::memory_order_relaxed);
  void* const placed = fresh != nullptr ? object : nullptr;
  Entry* stale = nullptr;
  void* old = nullptr;
  {
    // An object found in the slot stays in memory at least until it was asked for a reference.
    const rcu::ReadSection readers;
    // An empty slot that stays empty needs no lock: whoever fills it after this load comes after this exchange.
    do old = value_of(slot);
    while ((old != nullptr || placed != nullptr) && !swap_in(slot, old, placed, fresh, stale));
    if (old != nullptr && !type.acquire(type.context, old)) old = nullptr;
  }
  forget(stale);
  if (object != nullptr) type.release(type.context, object);
  return old;
}

void clear(std::uint64_t* slot) noexcept {
  for (void* old = value_of(slot); old != nullptr; old = value_of(slot)) {
    Entry *none = nullptr, *stale = nullptr;
    const bool done = swap_in(slot, old, nullptr, none, stale);
    forget(stale);
    if (done) return;
  }
}

void object_gone(void* object) noexcept {
  Entry* gone = nullptr;
  {
    const BucketLocks locks(object, nullptr);
    for (Entry** at = &bucket_of(object).first; *at != nullptr;) {
      Entry* const entry = *at;
      if (entry->object != object) {
        at = &entry->next;
        continue;
      }
      *at = entry->next;
      set(entry->slot, nullptr);
      entry->next = gone;
      gone = entry;
    }
  }
  while (gone != nullptr) forget(std::exchange(gone, gone->next));
}

std::size_t filled() noexcept { return g_filled.load(std::memory_order_relaxed); }

}  // namespace ring3::weak
