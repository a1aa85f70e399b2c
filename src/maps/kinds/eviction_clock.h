// Makes room in a full LRU map: a clock over the element pool. A lookup by a program marks an element; the
// hand clears marks and takes the first element it finds without one. That is the second-chance form of
// least recently used: no list to keep in order, one word written at most once a turn per element.
#pragma once

#include <atomic>
#include <cstdint>

#include "maps/kinds/element_store.h"
#include "maps/kinds/hash_table.h"

namespace ring3::maps {

class EvictionClock {
 public:
  EvictionClock(ElementPool& pool, HashTable& table, const ElementLayout& layout)
      : pool_(pool), table_(table), layout_(layout) {}

  void mark_used(Element* e) const noexcept {
    std::uint32_t* mark = layout_.mark(e);
    if (__atomic_load_n(mark, __ATOMIC_RELAXED) == 0) __atomic_store_n(mark, 1, __ATOMIC_RELAXED);
  }
  void clear_mark(Element* e) const noexcept { __atomic_store_n(layout_.mark(e), 0, __ATOMIC_RELAXED); }

  /// Takes one element out of the table: the caller owns it and its place in the count. Null: nothing could be
  /// taken (all elements are on their way in or out). Holds one shard for a moment, so the caller holds none.
  Element* evict() noexcept;

 private:
  bool try_take(Element* e) noexcept;

  ElementPool& pool_;
  HashTable& table_;
  const ElementLayout layout_;
  alignas(64) std::atomic<std::uint32_t> hand_{0};
};

}  // namespace ring3::maps
