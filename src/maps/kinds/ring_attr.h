// The attribute check that both sorts of ring buffer share.
#pragma once

#include <bit>

#include "maps/map_check.h"
#include "maps/map_memory.h"

namespace ring3::maps {

/// No keys, no values; a size that is a power of two and whole pages.
inline Result<void> check_ring_attr(const MapSpec& spec) {
  const bool ok = (spec.flags & ~std::uint32_t{uapi::BPF_F_NUMA_NODE}) == 0 && spec.key_size == 0 &&
                  spec.value_size == 0 && std::has_single_bit(spec.max_entries) && spec.max_entries % page_bytes() == 0;
  return ok ? Result<void>() : Result<void>(Errno::kInval);
}

}  // namespace ring3::maps
