// Makes room in a full LRU map: a queue of new elements and a clock over the rest, both without links to keep in
// order.
//
// A new element is on probation, in the order of coming in. When the queue is longer than its share, its oldest goes,
// unless it was used since: then it stays for good, under the clock. Each use counts an element up to kMaxUses; the
// hand counts down and takes the first it finds at zero. So a scan drives out other new elements, and hardly what is
// used again and again.
//
// Nothing here is exact and nothing needs to be: the queue holds hints (an element may have left the table since, or
// have come in again), the table says what is true. Lock free but for the chain of the element that goes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "maps/kinds/element_store.h"
#include "maps/kinds/hash_table.h"

namespace ring3::maps {

class EvictionClock {
 public:
  /// Null: no memory.
  static std::unique_ptr<EvictionClock> make(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                                             std::uint32_t entries);

  void mark_used(Element* e) const noexcept {
    std::uint32_t* mark = layout_.mark(e);
    std::uint32_t seen = __atomic_load_n(mark, __ATOMIC_RELAXED);
    // A lost race is a use that another thread counted.
    if ((seen & kUses) < kMaxUses)
      __atomic_compare_exchange_n(mark, &seen, seen + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  }
  /// A new element is in the table.
  void came_in(Element* e) noexcept;
  /// `e` takes the place of `old`, which was used again. Before it is in the table.
  void takes_place(Element* old, Element* e) noexcept;

  /// Takes one element out of the table: the caller owns it and its place in the count. Null: nothing could be
  /// taken (all elements are on their way in or out). Holds one chain for a moment, so the caller holds none.
  Element* evict() noexcept;

  std::uint64_t memory_bytes() const noexcept { return (std::uint64_t{queue_mask_} + 1) * sizeof(std::uint32_t); }

 private:
  // A mark: how often used lately, and whether the element is on probation.
  static constexpr std::uint32_t kUses = 0xff, kProbation = 0x100;
  // Measured against the kernel's lists (tests/native/lru_native_test.cc).
  static constexpr std::uint32_t kMaxUses = 1;
  // A smaller share keeps what is popular for longer, and what was. One half is where the kernel's lists meet too, and is on no
  // trace worse than they are; a quarter lost 3 points where popularity moves and won 3 where it is flat and stays.
  static constexpr std::uint32_t kProbationShare = 2;  // one of so many elements

  EvictionClock(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                std::unique_ptr<std::atomic<std::uint32_t>[]> queue, std::uint32_t queue_mask);
  bool try_take(Element* e) noexcept;
  Element* oldest() noexcept;
  void ends_probation(Element* e) const noexcept {
    __atomic_fetch_and(layout_.mark(e), ~kProbation, __ATOMIC_RELAXED);
  }
  std::uint32_t waiting() const noexcept {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed);
  }

  ElementPool& pool_;
  HashTable& table_;
  const ElementLayout layout_;
  const std::unique_ptr<std::atomic<std::uint32_t>[]> queue_;  // index + 1 of an element; 0: nothing
  const std::uint32_t queue_mask_;
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  alignas(64) std::atomic<std::uint32_t> head_{0};
  alignas(64) std::atomic<std::uint32_t> hand_{0};
};

}  // namespace ring3::maps
