// A real run of a program as it was written, one instruction at a time, with an eye on memory: every access lies in the context
// or in the stack of a living frame, or the run ends with a fault. The context and each frame are heap blocks of their own, so
// the address sanitizer has red zones around them too.
//
// It is written apart from the interpreter (exec/) and shares with it what instructions compute (isa/semantics.h). It knows
// arithmetic, jumps, loads, stores, atomics, calls of subprograms and exits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "verifier/witness.h"

namespace ring3::fuzz {

struct RunEnd {
  bool finished = false;     // false: the budget was used up, or fault says why
  std::string fault;         // "" none
  std::uint64_t r0 = 0;
  std::uint32_t idx = 0;     // where it ended
};

class ConcreteMachine {
 public:
  ConcreteMachine(std::span<const isa::Insn> insns, std::span<const std::byte> context);

  /// look: called before each instruction; false ends the run.
  RunEnd run(std::uint32_t most_steps, const std::function<bool(const verifier::ConcreteState&)>& look);

 private:
  struct Frame {
    std::unique_ptr<std::byte[]> stack;
    std::uint32_t return_idx = 0;
  };
  void enter(std::uint32_t return_idx);
  bool step(std::uint32_t& idx, RunEnd& end);
  void fault(RunEnd& end, const std::string& why) const;
  /// Null: no object holds these bytes.
  std::byte* at(std::uint64_t address, std::size_t bytes) const;
  bool load(const isa::Insn& insn, RunEnd& end);
  bool store(const isa::Insn& insn, RunEnd& end);
  bool atomic(const isa::Insn& insn, RunEnd& end);
  std::uint64_t& reg(unsigned r) { return frames_.back().regs[r]; }

  const std::span<const isa::Insn> insns_;
  std::size_t context_bytes_;
  std::unique_ptr<std::byte[]> context_;
  std::vector<Frame> stacks_;
  std::vector<verifier::ConcreteFrame> frames_;
};

}  // namespace ring3::fuzz
