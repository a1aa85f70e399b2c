// Makes room in a full LRU map: a queue of new elements and a clock over the rest, both without links to keep in
// order.
//
// A new element is on probation, in the order of coming in. When the queue is longer than its share, its oldest goes,
// unless it was used since: then it stays for good, under the clock. Each use counts an element up to kMaxUses; the
// hand counts down and takes the first it finds at zero. So a scan drives out other new elements, and hardly what is
// used again and again.
//
// Threads would meet in the queue at each element that comes in or goes, so each has a cell (thread_number.h) from which hints go to the
// queue, and into which they come from it, some at a time. Small maps have them go one by one.
//
// Nothing here is exact and nothing needs to be: the queue holds hints (an element may have left the table since, or
// have come in again), the table says what is true. No lock is common to all threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "maps/kinds/element_store.h"
#include "maps/kinds/hash_table.h"
#include "maps/thread_number.h"
#include "maps/word_lock.h"

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

  std::uint64_t memory_bytes() const noexcept { return (std::uint64_t{queue_mask_} + 1) * sizeof(std::uint32_t) + sizeof *this; }

 private:
  // A mark: how often used lately, and whether the element is on probation.
  static constexpr std::uint32_t kUses = 0xff, kProbation = 0x100;
  // Measured against the kernel's lists (tests/native/lru_native_test.cc).
  static constexpr std::uint32_t kMaxUses = 1;
  // A smaller share keeps what is popular for longer, and what was. One half is where the kernel's lists meet too, and is on no
  // trace worse than they are; a quarter lost 3 points where popularity moves and won 3 where it is flat and stays.
  static constexpr std::uint32_t kProbationShare = 2;  // one of so many elements

  static constexpr std::uint32_t kCells = 16;
  static constexpr std::uint32_t kMostHints = 8;
  /// A piece is one element in so many of the map.
  static constexpr std::uint32_t kEntriesForOne = 64;

  /// Of one thread, mostly. Its lock is taken below a chain.
  struct alignas(128) Cell {
    WordLock lock;
    std::uint32_t came RING3_GUARDED_BY(lock) = 0;  // hints on their way to the queue
    std::uint32_t coming[kMostHints] RING3_GUARDED_BY(lock) = {};
    std::uint32_t left RING3_GUARDED_BY(lock) = 0;  // hints from the front of the queue, the last is the oldest
    std::uint32_t going[kMostHints] RING3_GUARDED_BY(lock) = {};
    std::uint32_t hand RING3_GUARDED_BY(lock) = 0, hand_end RING3_GUARDED_BY(lock) = 0;
  };

  EvictionClock(ElementPool& pool, HashTable& table, const ElementLayout& layout,
                std::unique_ptr<std::atomic<std::uint32_t>[]> queue, std::uint32_t queue_mask, std::uint32_t piece);
  Cell& own_cell() noexcept { return cells_[thread_number() % kCells]; }
  bool try_take(Element* e) noexcept;
  void send(const std::uint32_t* hints, std::uint32_t count) noexcept;
  void fetch(Cell& cell) noexcept RING3_REQUIRES(cell.lock);
  /// What to look at next: an element of the queue's front, or the hand's (`probation` says which).
  Element* candidate(std::uint32_t used, bool& probation) noexcept;
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
  const std::uint32_t piece_;  // hints, or steps of the hand, at a time
  Cell cells_[kCells];
  alignas(64) std::atomic<std::uint32_t> tail_{0};
  alignas(64) std::atomic<std::uint32_t> head_{0};
  alignas(64) std::atomic<std::uint32_t> hand_{0};
};

}  // namespace ring3::maps
