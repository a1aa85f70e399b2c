// What compiled code calls when a tail call succeeds below the main function.
#pragma once

#include <cstdint>

#include "exec/engine.h"

namespace ring3::exec::jit {

/// Runs run.tail_target in the place of the calling frame and returns its result. ctx: r1 of the tail call; caller:
/// run.entry as it was before.
std::uint64_t run_tail_target(std::uint64_t ctx, RunContext* run, const ProgramEntry* caller);

}  // namespace ring3::exec::jit
