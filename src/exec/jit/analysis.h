// What one walk over the program tells before code is made: which instructions are jumped to, and what each
// function needs of its frame.
#pragma once

#include <cstdint>
#include <vector>

#include "exec/engine.h"
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
  bool run_stays = false;         // … and the register it comes in holds it until its last use
  bool may_goto = false;
  bool may_throw = false;         // an exception may leave it
  bool tail_calls = false;
  const Detour* detour = nullptr;
};

/// A jump back, `end`, and where it leads.
struct Loop {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
};

struct ProgramShape {
  std::vector<FunctionShape> functions;
  std::vector<std::uint8_t> is_target;  // per instruction: a jump leads here, or a function starts
  std::vector<Loop> loops;
  bool calls_anything = false;
};

/// Helpers that are a few machine instructions.
enum class InlineHelper : std::uint8_t {
  kNone,
  kCurrentCpu,  // reads the run, writes r0 and nothing else
  kExchange,    // bpf_kptr_xchg
};
InlineHelper inline_helper(const rewrite::XlatedProgram& program, const isa::Insn& call);

/// The subprogram that call `idx` of bpf_loop calls back, where the program says it just before; else kNoSubprog.
std::uint32_t known_callback(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& shape,
                             std::uint32_t idx);

/// A function with a detour needs the run, whatever it does itself.
ProgramShape analyse(const rewrite::XlatedProgram& program, const CheckedProgram& checked, Detours detours = {});

/// What registers an instruction touches, by its row (reg_use() without the search for it).
isa::RegMask touched_registers(const isa::Insn& insn, const isa::Row& row);

}  // namespace ring3::exec::jit
