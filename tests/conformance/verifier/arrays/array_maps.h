// The maps that cases of the older suite name.
#pragma once

#include <cstdint>

#include "arrays/array_case.h"

namespace ring3::conformance {

/// Makes one, with the element the suite presets. prog_type: of the programs a program array is filled with.
/// A descriptor, or a negative errno.
int make_array_map(array_map map, std::uint32_t prog_type);

}  // namespace ring3::conformance
