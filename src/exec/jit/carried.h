// Whether a conditional move would make each turn of a loop wait for the one before.
//
// A jump is guessed, and where the guess is right nobody waits for what it depends on. A conditional move waits for its condition:
// where that is computed from what the move gave one turn ago, the turns form a chain. This is advice about speed only;
// it follows registers, not paths, and takes what is loaded from memory to depend on nothing.
#pragma once

#include "exec/jit/plan.h"

namespace ring3::exec::jit {

/// jump: a conditional jump over instruction `chosen`.
bool is_carried(std::span<const isa::Insn> insns, const ProgramShape& shape, const Plan& plan, std::uint32_t jump, std::uint32_t chosen);

}  // namespace ring3::exec::jit
