// The instructions a client reads back (OBJ_GET_INFO_BY_FD, xlated_prog_insns): what Linux 6.12 would show of the program.
//
// Tools compare them, disassemble them and lay source lines beside them. They are a view: what runs is XlatedProgram, which differs
// where this library has its own way (calls stay calls, loop budgets are the tier's). Shown as Linux rewrites them are
// divisions, spills around fast calls, the CPU's number, the clock of ticks, loops with a budget and inlined bpf_loop; everything else stands as it
// was loaded, maps by id, without addresses.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isa/insn.h"
#include "verifier/verifier.h"

namespace ring3::rewrite {

struct ShownProgram {
  std::vector<isa::RawInsn> insns;
  std::vector<std::uint32_t> start;  // per loaded slot, and one more: where it begins in insns
};

/// loaded: the program's slots with maps named as clients see them, parallel to program.insns.
ShownProgram show(std::span<const isa::RawInsn> loaded, const verifier::ProgramInput& program,
                  const verifier::VerifiedProgram& verified, const model::Facts& facts);

}  // namespace ring3::rewrite
