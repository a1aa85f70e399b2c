// What the two kinds of maps of maps share: which maps may be inside, and how a client names them.
#pragma once

#include <span>

#include "maps/map.h"

namespace ring3::maps {

/// The outer map's own spec: with a copy of the template's instead of a reference to the template, which may go
/// away (and from the id space) at once.
MapSpec with_template_copied(const MapSpec& outer);

/// The template (MapSpec::inner) may be one: kInval a map of maps, or none given; kNotSupp a kind that cannot
/// be inner (program array, struct_ops).
Result<void> check_template(const MapSpec& outer);

/// A map may stand in for the template: same type, key and value size, flags and special fields, and for
/// kinds whose size is built into programs the same number of entries. kInval otherwise.
Result<void> check_inner(const Map& outer, const Map& inner);

/// The map a client's value bytes name. kBadF; kInval not a map, or not like the template.
Result<Ref<Object>> resolve_inner(const Map& outer, std::span<const std::byte> value, FdSource& fds);

}  // namespace ring3::maps
