// Program arrays as the run path sees them: what bpf_tail_call jumps to.
#pragma once

#include <cstdint>

#include "maps/map.h"

namespace ring3::maps {

/// The program in a slot (ObjectKind::kProg), or null: index out of range, or slot empty. map is a program
/// array. Inside a read section, which also is how long the program stays.
Object* target(Map& map, std::uint32_t index) noexcept;

}  // namespace ring3::maps
