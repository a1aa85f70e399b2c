// What one walk over the program tells before code is made: which instructions are jumped to, and what each
// function needs of its frame.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/program_check.h"
#include "isa/reg_use.h"
#include "rewrite/xlated.h"

namespace ring3::exec::jit {

struct FunctionShape {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t stack_bytes = 0;  // rounded to 16
  isa::RegMask touched = 0;       // read or written anywhere
  bool calls = false;
  bool needs_run = false;         // calls a helper, or a function that needs the run
  bool may_goto = false;
  bool may_throw = false;         // an exception may leave it
  bool tail_calls = false;
};

struct ProgramShape {
  std::vector<FunctionShape> functions;
  std::vector<std::uint8_t> is_target;  // per instruction: a jump leads here, or a function starts
  bool calls_anything = false;
};

ProgramShape analyse(const rewrite::XlatedProgram& program, const CheckedProgram& checked);

/// What registers an instruction touches, by its row (reg_use() without the search for it).
isa::RegMask touched_registers(const isa::Insn& insn, const isa::Row& row);

}  // namespace ring3::exec::jit
