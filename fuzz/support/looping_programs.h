// Programs that are nearly right and go round: open coded iterators (numbers and bits), callbacks (bpf_loop, bpf_for_each_map_elem),
// may_goto, loops that count; functions that take pointers into a caller's frame, to the context, or to an iterator, whose address may
// have been through the stack. Bodies are the instructions of tame programs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isa/insn.h"

namespace ring3::fuzz {

/// Calls of host functions and maps are named as in fuzz_world.h.
std::vector<isa::RawInsn> looping_program(std::span<const std::uint8_t> bytes, std::size_t most_insns);

}  // namespace ring3::fuzz
