// What all hash kinds share: table, element store, count, and the algorithms over them. A kind adds what its
// values are (HashValues) and, for LRU, the clock that makes room.
//
// Locking: lookups take none; updates and deletes hold the chain of the key, and below it, for a moment, cells of the store, which
// knows how many elements there may be.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "maps/kinds/element_store.h"
#include "maps/kinds/eviction_clock.h"
#include "maps/kinds/hash_table.h"
#include "maps/map.h"

namespace ring3::maps {

class HashMap;

/// What the value area of a kind's elements is.
struct HashValues {
  ElementLayout (*layout)(const MapSpec&, const MapHost&);
  /// As a client sees it, value_bytes() bytes.
  void (*read)(const HashMap&, Element*, std::byte* out);
  /// As a program sees it: what lookup returns.
  void* (*program_value)(const HashMap&, Element*);
  /// An update of an existing element changes it in place (else: a new element replaces it).
  bool (*in_place)(const HashMap&);
  /// The element has left the table, under no lock.
  void (*released)(HashMap&, Element*);
  /// Another element took its place; runs under the lock of its chain.
  void (*replaced)(HashMap&, Element*, Reclaimed&);
  /// Nobody can find the map any more; null: nothing to do.
  void (*ending)(HashMap&) = nullptr;
  /// A program may see its value become another key's, as in Linux: elements that own nothing are used again at once.
  bool recycled = false;
};

/// Writes a value into an element. fresh: the element is not in the table yet.
using WriteValue = void (*)(HashMap&, Element*, const void* value, bool fresh, Reclaimed&);

class HashMap final : public Map {
 public:
  struct Parts {
    ElementLayout layout;
    std::unique_ptr<HashTable> table;
    std::unique_ptr<ElementStore> store;
    std::unique_ptr<EvictionClock> clock;  // null: a full map refuses
  };
  /// Where the table differs from what the map's attributes say.
  struct Sizes {
    std::uint32_t key_bytes;  // of a key in the table
    std::uint32_t expected;   // elements to make buckets for
    std::uint32_t limit;
  };
  HashMap(const MapOps& ops, const MapSpec& spec, MapHost& host, const HashValues& values, Parts parts);

  /// Makes table and store as the flags say; evicting: with a clock.
  static Result<Ref<Map>> make(const MapOps& ops, const MapSpec& spec, MapHost& host, const HashValues& values,
                               bool evicting);
  static Result<Ref<Map>> make(const MapOps& ops, const MapSpec& spec, MapHost& host, const HashValues& values,
                               bool evicting, const Sizes& sizes);

  const ElementLayout& layout() const { return parts_.layout; }
  const HashTable& table() const { return *parts_.table; }
  HashTable& table() { return *parts_.table; }
  std::uint64_t cpu_stride() const { return parts_.store->cpu_stride(); }
  /// Elements that are in the map, or on their way in or out: exact while nobody changes it.
  std::uint32_t count() const { return parts_.store->taken(); }

  /// Inside a read section.
  Element* find(const void* key) const noexcept {
    if (table().key_size() == 8) return table().find_as<WordKey<std::uint64_t>>(key);
    if (table().key_size() == 4) return table().find_as<WordKey<std::uint32_t>>(key);
    return table().find(key);
  }
  /// The same, and the element counts as used. Only with a clock.
  Element* use(const void* key) const noexcept {
    Element* e = find(key);
    if (e) parts_.clock->mark_used(e);
    return e;
  }

  /// flags: BPF_ANY, BPF_NOEXIST or BPF_EXIST, checked by the kind. 0 or a negative errno.
  /// out: what the value that goes owned; given back after the locks.
  long put(const void* key, const void* value, std::uint64_t flags, bool in_place, WriteValue write,
           Reclaimed& out) noexcept;
  /// kNoEnt when there is no such key.
  long remove(const void* key) noexcept;

  // The client's operations that are the same for every kind.
  Result<void> read(std::span<const std::byte> key, std::span<std::byte> value);
  Result<void> take(std::span<const std::byte> key, std::span<std::byte> value);
  Result<void> next(std::span<const std::byte> key, std::span<std::byte> next);
  Result<void> part(std::uint32_t cursor, std::uint32_t room, bool erase, bool locked, BatchEmit& emit);
  long for_each(std::uint64_t (*fn)(const void*, void*, void*), void* data, std::uint64_t flags) noexcept;
  std::uint64_t bytes() const;

  /// Copies an element's value under its lock. Only when shape().has_lock().
  Result<void> read_locked(std::span<const std::byte> key, std::span<std::byte> value);

 private:
  ~HashMap() override;
  void last_ref() noexcept override;
  void cancel_deferred() noexcept override;
  void insert(ChainGuard& chain, Element* e, const void* key, std::uint32_t hash, const void* value, WriteValue write,
              Reclaimed& out) noexcept;
  long replace(ChainGuard& chain, Element* old, const void* key, std::uint32_t hash, const void* value, WriteValue write,
               Reclaimed& out) noexcept;

  const HashValues& values_;
  Parts parts_;
};

inline HashMap& as_hash(Map& map) { return static_cast<HashMap&>(map); }
inline const HashMap& as_hash(const Map& map) { return static_cast<const HashMap&>(map); }

// Slots of MapOps that every hash kind fills with the same function.
Result<void> hash_erase(Map&, std::span<const std::byte> key);
Result<void> hash_take(Map&, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags);
Result<void> hash_next_key(Map&, std::span<const std::byte> key, std::span<std::byte> next);
Result<void> hash_part(Map&, std::uint32_t cursor, std::uint32_t room, bool erase, std::uint64_t flags, BatchEmit&);
std::uint64_t hash_memory_bytes(const Map&);
std::uint64_t hash_element_count(const Map&);
long hash_program_erase(Map&, const void* key) noexcept;
/// Of values inside the element.
const void* hash_key_of(const Map&, const void* value, std::uint32_t& index) noexcept;
long hash_for_each(Map&, std::uint64_t (*fn)(const void*, void*, void*), void* data, std::uint64_t flags) noexcept;

/// Attribute check of the family. lru, percpu: what the kind is.
Result<void> check_hash_attr(const MapSpec& spec, bool lru, bool percpu);

}  // namespace ring3::maps
