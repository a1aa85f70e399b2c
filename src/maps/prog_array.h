// Program arrays as the run path sees them: what bpf_tail_call jumps to.
#pragma once

#include <atomic>
#include <cstdint>

#include "maps/map.h"
#include "model/tail_call_kind.h"

namespace ring3::maps {

/// The program in a slot (ObjectKind::kProg), or null: index out of range, or slot empty. map is a program
/// array. Inside a read section, which also is how long the program stays.
Object* target(Map& map, std::uint32_t index) noexcept;

/// Where code that looks by itself finds the slots: max_entries() of them, as long as the map. Each is loaded as a whole, with
/// what target() says of it.
const std::atomic<Object*>* slots_of(const Map& map) noexcept;

/// May programs of this kind be in a program array, or tail call through it? The first fixes the kind of all (behaviour.md D.1.6).
bool admit(Map& map, const model::TailCallKind& kind);

}  // namespace ring3::maps
