// Execution tiers behind one interface: interpreter (the reference), baseline JIT, optimising tier.
// A tier turns an XlatedProgram into Code; Code is immutable, entered by a plain call, freed after readers.
#pragma once

#include <cstdint>
#include <memory>

#include "exec/run_context.h"
#include "ring3/result.h"
#include "rewrite/xlated.h"

namespace ring3::exec {

/// One compiled form of one program.
class Code {
 public:
  virtual ~Code() = default;
  /// Runs the program: r1 = ctx. Never blocks longer than the program does. The caller is inside a read
  /// section and, when the program touches per-CPU state, holds a CPU slot (ProgramEntry does both).
  virtual std::uint64_t run(RunContext& run, void* ctx) const = 0;
  virtual const char* tier() const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual Result<std::unique_ptr<Code>> compile(std::shared_ptr<const rewrite::XlatedProgram>) = 0;
};

std::unique_ptr<Engine> make_interpreter();

}  // namespace ring3::exec
