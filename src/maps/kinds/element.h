// One element of a hash table, and where elements come from.
//
// Layout: this header, the key (padded to 8 with zeros), the value area. An element is either in a table
// (`seq` even) or not (`seq` odd). Its memory stays an Element for as long as a reader may look at it:
// preallocated elements for the life of the map, others until a grace period after they were removed.
//
// Readers hold no lock, so an element may leave the table, and a preallocated one may be used again under
// another key, while somebody compares it. They notice by `seq`, which changes at each such step; see
// HashTable::find(). Every field they touch is accessed atomically.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ring3::maps {

struct Element {
  std::atomic<Element*> next;      // next of the chain; null at the end
  std::atomic<std::uint32_t> seq;  // odd: not in a table; 0: never used
  std::atomic<std::uint32_t> hash; // of the key; the free list's link while the element is free

  std::byte* bytes() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(this + 1); }
  std::byte* key() { return bytes(); }
  const std::byte* key() const { return bytes(); }
};
static_assert(sizeof(Element) == 16);

/// Where the parts of an element are, from the start of its bytes().
struct ElementLayout {
  std::uint32_t key_bytes = 0;    // padded key; the value area starts there
  std::uint32_t value_bytes = 0;  // value area inside the element
  std::uint32_t cpus = 0;         // per-CPU kinds: copies kept outside, the value area holds their address
  std::uint32_t cpu_value = 0;    // bytes of one copy, a multiple of 8
  bool referenced_mark = false;   // LRU: one more word, how often it was used lately (eviction_clock.h)

  std::uint32_t element_bytes() const {
    return static_cast<std::uint32_t>(sizeof(Element)) + key_bytes + value_bytes + (referenced_mark ? 8u : 0u);
  }
  std::byte* value(Element* e) const { return e->bytes() + key_bytes; }
  /// Copy of one CPU; `stride` is the store's.
  std::byte* cpu_copy(Element* e, std::uint32_t cpu, std::uint64_t stride) const {
    return *reinterpret_cast<std::byte**>(value(e)) + cpu * stride;
  }
  std::uint32_t* mark(Element* e) const {
    return reinterpret_cast<std::uint32_t*>(e->bytes() + key_bytes + value_bytes);
  }
};

}  // namespace ring3::maps
