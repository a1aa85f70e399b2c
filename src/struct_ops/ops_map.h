// The map kind STRUCT_OPS: one slot whose value is a host's ops struct filled by a client, with an
// explicit state machine (ops_state.h). The maps room knows the kind only by its MapOps.
#pragma once

#include "maps/map.h"
#include "ring3/result.h"
#include "struct_ops/registry.h"

namespace ring3::struct_ops {

/// Attribute check and creation; unpublished, one reference. The syscall layer sends a creation of this map
/// type here instead of to maps/, with spec.kernel_value_type set.
/// Errors: behaviour.md A.3 (kInval, kNotSupp).
Result<Ref<maps::Map>> create_map(const maps::MapSpec& spec, const Registry& types, maps::MapHost& host);

/// Null when the map is of another kind.
class OpsMap* as_ops_map(maps::Map& map);

}  // namespace ring3::struct_ops
