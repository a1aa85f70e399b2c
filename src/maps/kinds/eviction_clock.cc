#include "maps/kinds/eviction_clock.h"

#include <bit>
#include <new>

#include "base/fault_point.h"

namespace ring3::maps {

EvictionClock::EvictionClock(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                             std::unique_ptr<std::atomic<std::uint32_t>[]> queue, std::uint32_t queue_mask)
    : pool_(pool), table_(table), layout_(layout), queue_(std::move(queue)), queue_mask_(queue_mask) {}

std::unique_ptr<EvictionClock> EvictionClock::make(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                                                   std::uint32_t entries) {
  if (fault_point()) return nullptr;
  const std::uint32_t slots = std::bit_ceil(entries < (1u << 30) ? entries + 1 : 1u << 30);
  std::unique_ptr<std::atomic<std::uint32_t>[]> queue(new (std::nothrow) std::atomic<std::uint32_t>[slots]());
  if (!queue) return nullptr;
  return std::unique_ptr<EvictionClock>(new (std::nothrow) EvictionClock(pool, table, layout, std::move(queue), slots - 1));
}

void EvictionClock::came_in(Element* e) noexcept {
  __atomic_store_n(layout_.mark(e), kProbation, __ATOMIC_RELAXED);
  const std::uint32_t at = tail_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t lapped = queue_[at & queue_mask_].exchange(pool_.index_of(e) + 1, std::memory_order_relaxed);
  if (lapped != 0) ends_probation(pool_.at(lapped - 1));
}

void EvictionClock::takes_place(Element* old, Element* e) noexcept {
  // The hint in the queue names the old element, so the new one's probation is over.
  const std::uint32_t uses = __atomic_load_n(layout_.mark(old), __ATOMIC_RELAXED) & kUses;
  __atomic_store_n(layout_.mark(e), uses < kMaxUses ? uses + 1 : uses, __ATOMIC_RELAXED);
}

bool EvictionClock::try_take(Element* e) noexcept {
  const std::uint32_t seq = e->seq.load(std::memory_order_acquire);
  if ((seq & 1) != 0 || seq == 0) return false;
  const std::uint32_t hash = e->hash.load(std::memory_order_relaxed);
  if (!HashTable::unchanged(e, seq)) return false;
  ChainGuard chain(table_, hash);
  // Unchanged under the lock of its chain: it is in the table, and stays until we take it out.
  if (e->seq.load(std::memory_order_relaxed) != seq) return false;
  chain.unlink(e);
  return true;
}

/// Takes the front of the queue off; null: it is empty, or the hint is not written yet.
Element* EvictionClock::oldest() noexcept {
  std::uint32_t at = head_.load(std::memory_order_relaxed);
  do {
    if (at == tail_.load(std::memory_order_relaxed)) return nullptr;
  } while (!head_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed));
  const std::uint32_t hint = queue_[at & queue_mask_].exchange(0, std::memory_order_relaxed);
  return hint == 0 ? nullptr : pool_.at(hint - 1);
}

Element* EvictionClock::evict() noexcept {
  const std::uint32_t used = pool_.used();
  // In the first turn the hand passes over elements on probation. So many turns count every element down and meet
  // it again; what is still refused then is in motion.
  const std::uint64_t steps = std::uint64_t{used} * (kMaxUses + 3);
  for (std::uint64_t step = 0; step < steps; ++step) {
    if (waiting() > used / kProbationShare) {
      Element* e = oldest();
      if (!e) continue;
      const std::uint32_t mark = __atomic_load_n(layout_.mark(e), __ATOMIC_RELAXED);
      if ((mark & kProbation) == 0) continue;
      ends_probation(e);
      if ((mark & kUses) == 0 && try_take(e)) return e;
      continue;
    }
    Element* e = pool_.at(hand_.fetch_add(1, std::memory_order_relaxed) % used);
    std::uint32_t mark = __atomic_load_n(layout_.mark(e), __ATOMIC_RELAXED);
    if ((mark & kProbation) != 0 && step < used) continue;
    if ((mark & kUses) != 0) {
      __atomic_compare_exchange_n(layout_.mark(e), &mark, mark - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
      continue;
    }
    if (try_take(e)) return e;
  }
  return nullptr;
}

}  // namespace ring3::maps
