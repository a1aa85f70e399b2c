// What the verifier believed at each instruction, kept to be held against real runs. For tests and fuzzing.
//
// The walk must not prune (Limits::no_pruning): a pruned path's values may lie outside the numbers that the path which covers it
// had, wherever nothing relied on them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "isa/insn.h"
#include "verifier/verifier.h"

namespace ring3::verifier {

/// One frame of a real run. stack: the bytes below r10, stack.back() at r10 - 1.
struct ConcreteFrame {
  std::array<std::uint64_t, isa::kRegCount> regs{};
  std::span<const std::byte> stack;
};

/// A real run that is about to execute an instruction. frames: main's first.
struct ConcreteState {
  std::uint32_t idx = 0;
  std::uint64_t ctx = 0;  // address of the context
  std::span<const ConcreteFrame> frames;
};

/// What the walk believed of a register, over all of its ways from one instruction to the next.
struct Belief {
  bool walked = false;        // it went that way
  bool only_numbers = false;  // and there was always a number in it, between these
  std::int64_t smin = INT64_MAX, smax = INT64_MIN;
  std::uint64_t umin = UINT64_MAX, umax = 0;
  std::int32_t smin32 = INT32_MAX, smax32 = INT32_MIN;
  std::uint32_t umin32 = UINT32_MAX, umax32 = 0;
};

class Witness {
 public:
  /// with_text: text() has something to say; costs time.
  explicit Witness(bool with_text = false);
  ~Witness();

  /// Some state of the walk at this instruction holds the values: numbers in their ranges, pointers to the stack and the context
  /// where they should be, spilled values and zeroes on the stack. Pointers of other kinds are not looked at.
  /// True as well when the walk had more states than are kept.
  bool covers(const ConcreteState& run) const;
  /// Some state accessed the stack at an offset it did not know. Addresses spilled there count as ordinary bytes then; a state that knew
  /// the offset has them as addresses, and may be refused what is done with them: less known, more allowed, as on Linux.
  bool accessed_somewhere() const;
  /// The walk's last instruction was on a path that only a wrong guess of the CPU takes: if the program was refused, it was there.
  bool ended_on_wrong_guess() const;
  /// The walk's last instruction was on a path of whose numbers some were widened: if the program was refused, it was there.
  bool ended_on_widened() const;
  /// Of a register of the innermost frame before `idx`, where `from` was executed before it. Nothing is known when the walk had more
  /// states than are kept.
  Belief belief(std::uint32_t from, std::uint32_t idx, unsigned regno) const;
  /// Lines that say what was believed at an instruction.
  std::string text(std::uint32_t idx) const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// verify() that leaves every state it was in with the witness.
Result<VerifiedProgram> verify_witnessed(const ProgramInput& in, const model::Facts& facts, const Limits& limits, LogSink& log,
                                         Witness& witness);

}  // namespace ring3::verifier
