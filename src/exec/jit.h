// The baseline compiler: one pass from XlatedProgram to x86-64, microseconds a program.
//
// Every subprogram is a C function of the type rewrite::HelperFn (r1 … r5 and the run), so entering a program, a
// callback and a bpf-to-bpf call are all the same plain call. Registers, frames: jit/frame.h.
#pragma once

#include <memory>

#include "exec/code_memory.h"
#include "exec/engine.h"

namespace ring3::exec {

struct JitOptions {
  /// No constant of a program stands in its machine code as the author chose it: each is made at run time from two
  /// parts, one of them random. Costs an instruction or two wherever a constant is used.
  bool blind_constants = false;
  /// Uses no optional feature of the processor. For tests.
  bool baseline_cpu = false;
  /// Uses all of them, whether this machine has them or not. For tests that look at code and do not run it.
  bool newest_cpu = false;
};

/// Whether there is a compiler for this machine.
bool jit_available() noexcept;

/// memory outlives the engine and everything it compiles. Needs jit_available().
std::unique_ptr<Engine> make_jit(CodeMemory& memory, JitOptions options = {});

/// The compiler where there is one, else the interpreter. A program for which no code memory is to be had (hosts
/// may forbid executable mappings) is interpreted.
std::unique_ptr<Engine> make_best_engine(CodeMemory& memory, JitOptions options = {});

}  // namespace ring3::exec
