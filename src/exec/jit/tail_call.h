// What compiled code calls when a tail call succeeds below the main function, and at the entry of functions with a detour.
#pragma once

#include <cstddef>
#include <cstdint>

#include "exec/engine.h"

namespace ring3::exec::jit {

/// Runs run.tail_target in the place of the calling frame and returns its result. ctx: r1 of the tail call; caller:
/// run.entry as it was before.
std::uint64_t run_tail_target(std::uint64_t ctx, RunContext* run, const ProgramEntry* caller);

/// entry: of the function, kDetourBytes in front of its body.
std::uint64_t enter_detour(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4, std::uint64_t r5, RunContext* run,
                           const Detour* detour, const std::byte* entry);

}  // namespace ring3::exec::jit
