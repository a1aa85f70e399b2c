#include "maps/kinds/eviction_clock.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/fault_point.h"

namespace ring3::maps {

EvictionClock::EvictionClock(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                             std::unique_ptr<std::atomic<std::uint32_t>[]> queue, std::uint32_t queue_mask, std::uint32_t piece)
    : pool_(pool), table_(table), layout_(layout), queue_(std::move(queue)), queue_mask_(queue_mask), piece_(piece) {}

std::unique_ptr<EvictionClock> EvictionClock::make(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                                                   std::uint32_t entries) {
  if (fault_point()) return nullptr;
  const std::uint32_t slots = std::bit_ceil(entries < (1u << 30) ? entries + 1 : 1u << 30);
  std::unique_ptr<std::atomic<std::uint32_t>[]> queue(new (std::nothrow) std::atomic<std::uint32_t>[slots]());
  if (!queue) return nullptr;
  const std::uint32_t piece = std::clamp(entries / kEntriesForOne, 1u, kMostHints);
  return std::unique_ptr<EvictionClock>(new (std::nothrow) EvictionClock(pool, table, layout, std::move(queue), slots - 1, piece));
}

void EvictionClock::send(const std::uint32_t* hints, std::uint32_t count) noexcept {
  const std::uint32_t at = tail_.fetch_add(count, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t lapped = queue_[(at + i) & queue_mask_].exchange(hints[i], std::memory_order_relaxed);
    if (lapped != 0) ends_probation(pool_.at(lapped - 1));
  }
}

void EvictionClock::came_in(Element* e) noexcept {
  __atomic_store_n(layout_.mark(e), kProbation, __ATOMIC_RELAXED);
  const std::uint32_t hint = pool_.index_of(e) + 1;
  Cell& cell = own_cell();
  WordLockGuard guard(cell.lock);
  // An element that came, went and came again is in the queue once.
  if (cell.came != 0 && cell.coming[cell.came - 1] == hint) return;
  cell.coming[cell.came++] = hint;
  if (cell.came < piece_) return;
  send(cell.coming, cell.came);
  cell.came = 0;
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

/// Takes the front of the queue off, as much as a cell holds.
void EvictionClock::fetch(Cell& cell) noexcept {
  std::uint32_t at = head_.load(std::memory_order_relaxed);
  std::uint32_t count = 0;
  do {
    const auto there = static_cast<std::int32_t>(tail_.load(std::memory_order_relaxed) - at);
    count = std::min(piece_, static_cast<std::uint32_t>(std::max(there, 0)));
  } while (!head_.compare_exchange_weak(at, at + count, std::memory_order_relaxed));
  // A hint that is not written yet is lost: its element is the hand's.
  for (std::uint32_t i = count; i-- > 0;)
    if (const std::uint32_t hint = queue_[(at + i) & queue_mask_].exchange(0, std::memory_order_relaxed)) cell.going[cell.left++] = hint;
}

Element* EvictionClock::candidate(std::uint32_t used, bool& probation) noexcept {
  Cell& cell = own_cell();
  WordLockGuard guard(cell.lock);
  if (cell.left == 0 && waiting() > used / kProbationShare) fetch(cell);
  probation = cell.left != 0;
  if (probation) return pool_.at(cell.going[--cell.left] - 1);
  if (cell.hand == cell.hand_end) {
    cell.hand = hand_.fetch_add(piece_, std::memory_order_relaxed);
    cell.hand_end = cell.hand + piece_;
  }
  return pool_.at(cell.hand++ % used);
}

Element* EvictionClock::evict() noexcept {
  const std::uint32_t used = pool_.used();
  // In the first turn the hand passes over elements on probation. So many turns count every element down and meet
  // it again; what is still refused then is in motion.
  const std::uint64_t steps = std::uint64_t{used} * (kMaxUses + 3) + kMostHints;
  for (std::uint64_t step = 0; step < steps; ++step) {
    bool probation = false;
    Element* e = candidate(used, probation);
    std::uint32_t mark = __atomic_load_n(layout_.mark(e), __ATOMIC_RELAXED);
    if (probation) {
      if ((mark & kProbation) == 0) continue;
      ends_probation(e);
      if ((mark & kUses) == 0 && try_take(e)) return e;
      continue;
    }
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
