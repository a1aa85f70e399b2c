#include "maps/kinds/target_maps.h"

#include "base/fault_point.h"

namespace ring3::maps {

Result<Ref<Map>> EmptyMap::make(const MapOps& ops, const MapSpec& spec, MapHost& host) {
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>(Ref<EmptyMap>::adopt(new EmptyMap(ops, spec, host)));
}

std::uint64_t empty_map_bytes(const Map&) { return sizeof(EmptyMap); }

void* find_nothing(Map&, const void*) noexcept { return nullptr; }

Errno no_socket(std::span<const std::byte> value, FdSource& fds, Errno a_socket) {
  std::uint64_t fd = 0;
  std::memcpy(&fd, value.data(), value.size());
  if (value.size() == 8 && fd > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max()))
    return Errno::kInval;
  const Result<bool> socket = fds.is_socket(static_cast<std::int32_t>(fd));
  if (!socket.ok()) return socket.error();
  return *socket ? a_socket : Errno::kNotSock;
}

}  // namespace ring3::maps
