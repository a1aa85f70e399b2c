// A real run of a program as it was written, one instruction at a time, with an eye on memory: every access lies in the context
// or in the stack of a living frame, or the run ends with a fault. The context and each frame are heap blocks of their own, so
// the address sanitizer has red zones around them too.
//
// It is written apart from the interpreter (exec/) and shares with it what instructions compute (isa/semantics.h). It knows
// arithmetic, jumps, loads, stores, atomics, calls of subprograms and exits, may_goto, iterators over numbers and bits, bpf_loop, and
// the array of fuzz_world.h: each element is a block of its own, and what an iterator gives is one until the iterator ends.
//
// What ends by itself ends here after `most_rounds` at the latest (of each iterator, call with a callback, entry of a function with
// may_goto), which is a run that the verifier has to have foreseen too: it knows none of their numbers.
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
  std::uint64_t steps = 0;
  std::string fault;         // "" none
  std::uint64_t r0 = 0;
  std::uint32_t idx = 0;     // where it ended
};

class ConcreteMachine {
 public:
  ConcreteMachine(std::span<const isa::Insn> insns, std::span<const std::byte> context, std::uint32_t most_rounds = UINT32_MAX);

  /// Whether it knows all that the program may call or name.
  static bool knows(std::span<const isa::Insn> insns);

  /// look: called before each of the first `looks` instructions; false ends the run.
  RunEnd run(std::uint64_t most_steps, std::uint64_t looks, const std::function<bool(const verifier::ConcreteState&)>& look);

 private:
  /// A call that runs a callback, between its rounds.
  struct Rounds {
    bool active = false, stopped = false;
    std::uint32_t done = 0, all = 0;
  };
  struct Frame {
    std::unique_ptr<std::byte[]> stack;
    std::uint32_t return_idx = 0;
    bool is_callback = false;
    Rounds rounds = {};
    std::uint32_t may_gotos = 0;  // … that went on
  };
  struct Iterator {
    std::uint64_t at;                    // where in a stack
    std::unique_ptr<std::byte[]> given;  // what its steps point to
    std::uint32_t left;
    std::int32_t current;
  };
  void enter(std::uint32_t return_idx);
  bool leave(std::uint32_t& idx, RunEnd& end);
  bool call_helper(const isa::Insn& insn, std::uint32_t& idx, RunEnd& end);
  bool run_rounds(std::uint32_t all, bool elements, std::uint32_t& idx, RunEnd& end);
  bool call_host(const isa::Insn& insn, RunEnd& end);
  bool make_iterator(unsigned bytes, std::uint32_t rounds, std::int32_t first, std::uint64_t result, RunEnd& end);
  void returns(std::uint64_t result);
  std::byte* stack_at(std::uint64_t address, std::size_t bytes) const;
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
  const std::uint32_t most_rounds_;
  std::unique_ptr<std::byte[]> context_;
  std::vector<std::unique_ptr<std::byte[]>> elements_;
  std::unique_ptr<std::byte[]> key_;  // of the element that a callback is at
  std::vector<Iterator> iterators_;
  std::vector<Frame> stacks_;
  std::vector<verifier::ConcreteFrame> frames_;
};

}  // namespace ring3::fuzz
