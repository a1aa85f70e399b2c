// Programs that are nearly right, made of any bytes: every register holds something, memory is reached at offsets that mostly fit.
// Numbers stay unknown, branches depend on them, spills and computed stack offsets are frequent; so most are accepted, and what the
// verifier knows at each step is worth holding against a run.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isa/insn.h"

namespace ring3::fuzz {

/// r6 is the context (at least 64 bytes are used), r10 the frame; the others hold numbers.
std::vector<isa::RawInsn> tame_program(std::span<const std::uint8_t> bytes, std::size_t most_insns);

}  // namespace ring3::fuzz
