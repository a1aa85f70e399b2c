// Edits that change how a program is written and not what it does: nops between instructions, other names for registers,
// blocks in another order.
#pragma once

#include <cstdint>
#include <vector>

#include "isa/insn.h"

namespace ring3::fuzz {

/// Whether the edits below know every instruction: no wide immediate lacks its second half, no function is named that starts
/// outside of the program, and no instruction means a register that it does not name (legacy loads of the packet).
bool is_editable(const std::vector<isa::RawInsn>& program);

/// A jump to the next instruction before some of the instructions; choices: one bit an instruction, used around.
std::vector<isa::RawInsn> with_nops(const std::vector<isa::RawInsn>& program, std::uint64_t choices);
/// r6 … r9 under other names, the rotation by `by` (1 to 3); in a program that calls nothing r2 … r5 likewise.
std::vector<isa::RawInsn> with_renamed_registers(const std::vector<isa::RawInsn>& program, unsigned by);
/// Of each function, the blocks behind its first one in reverse order, joined by jumps. Empty: a jump would be too far.
std::vector<isa::RawInsn> with_blocks_reversed(const std::vector<isa::RawInsn>& program);

}  // namespace ring3::fuzz
