// The two ways hash kinds keep values: in the element, or one copy per CPU slot beside it.
#pragma once

#include "maps/kinds/hash_map.h"

namespace ring3::maps {

extern const HashValues plain_values;
extern const HashValues percpu_values;

/// Bytes of a key in an element.
std::uint32_t padded_key(const MapSpec& spec);

// Writers for HashMap::put().
void write_plain(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out);
void write_plain_locked(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out);
/// A program's: its own slot's copy; the other copies of a new element are zero.
void write_this_cpu(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out);
/// A client's: one copy per slot, each rounded up to 8 bytes.
void write_all_cpus(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out);

std::size_t percpu_value_bytes(const Map& map);

// Operations that differ by the kind of value only.
Result<void> plain_lookup(Map&, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags);
Result<void> percpu_lookup(Map&, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags);
Result<void> percpu_update(Map&, std::span<const std::byte> key, std::span<const std::byte> value,
                           std::uint64_t flags, FdSource&);
long percpu_program_update(Map&, const void* key, const void* value, std::uint64_t flags) noexcept;

}  // namespace ring3::maps
