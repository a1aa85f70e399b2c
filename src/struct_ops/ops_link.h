// struct_ops links (behaviour.md A.5): created pending, attached (reg) by attach() or at the commit of a
// transaction; update by attach::Link::update_map, detach, poll and info by attach::Link.
#pragma once

#include "attach/link.h"
#include "maps/map.h"
#include "ring3/result.h"

namespace ring3::struct_ops {

/// Unpublished, pending, one reference; holds the map. flags: of LINK_CREATE, must be 0.
/// Errors: kInval not a struct_ops map, without BPF_F_LINK, or not READY.
Result<Ref<attach::Link>> create_link(Ref<maps::Map> map, std::uint32_t flags, Birth birth);

}  // namespace ring3::struct_ops
