// Maps whose values name something outside of BPF: sockets, devices, CPUs' queues, control groups. The map's attributes,
// keys and errnos are the kernel's; whether there is anything to name is the host's answer (MapHost::has_device), and a
// host has no sockets, queues or control groups. So most of these maps stay empty, which is also what programs and
// walks see.
#pragma once

#include "maps/kinds/array_index.h"
#include "maps/map.h"

namespace ring3::maps {

/// Attributes, and never an element.
class EmptyMap final : public Map {
 public:
  /// Errors: kNoMem.
  static Result<Ref<Map>> make(const MapOps& ops, const MapSpec& spec, MapHost& host);

 private:
  EmptyMap(const MapOps& ops, const MapSpec& spec, MapHost& host) : Map(ops, spec, host) {}
};

std::uint64_t empty_map_bytes(const Map& map);

/// A program's lookup in a map without elements.
void* find_nothing(Map& map, const void* key) noexcept;

/// Values are 4 bytes (a descriptor or an index), or 8.
inline bool is_target_value(const MapSpec& spec) { return spec.value_size == 4 || spec.value_size == 8; }

/// Attributes of a map of targets with keys 0 … max_entries-1.
inline Result<void> check_target_array(const MapSpec& spec, std::uint32_t flags, bool value_ok) {
  const bool sizes = spec.max_entries != 0 && spec.key_size == sizeof(std::uint32_t) && value_ok;
  return sizes && (spec.flags & ~flags) == 0 ? Result<void>() : Result<void>(Errno::kInval);
}

/// What a client's descriptor answers where a socket is wanted: kBadF closed, kInval no descriptor number at all,
/// kNotSock another file; `a_socket`: no socket of the machine is a target here.
Errno no_socket(std::span<const std::byte> value, FdSource& fds, Errno a_socket);

}  // namespace ring3::maps
