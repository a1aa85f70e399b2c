#include "maps/value_area.h"

namespace ring3::maps {

Result<sign::Bytes> value_area(Map& map) {
  if (map.spec().type != uapi::BPF_MAP_TYPE_ARRAY) return Errno::kInval;
  constexpr std::uint32_t kFirst = 0;
  const auto* elements = static_cast<const std::byte*>(map.ops().data.lookup(map, &kFirst));
  const std::size_t stride = (std::size_t{map.value_size()} + 7) / 8 * 8;
  return sign::Bytes(elements, stride * map.max_entries());
}

}  // namespace ring3::maps
