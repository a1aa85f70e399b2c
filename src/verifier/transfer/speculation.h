// Programs of callers that may not learn addresses (no CAP_PERFMON), and CPUs that run ahead of a wrong guess.
//
// Spectre v1. After a mispredicted branch the CPU computes with values the program never has there; what it loads
// then leaves traces. Two measures, as Linux 6.12 takes them:
//   - the side of a branch that cannot be taken is walked too, as a speculative path: the registers that decided the
//     branch hold anything there. Everything such a path does is checked like any other path.
//   - a pointer that moves by a register moves by 0 when the amount is not what was proved of it: the amount is
//     masked (ArithMask, inserted by rewrite/). The result for amount 0 is walked too, speculatively. That needs one
//     limit per instruction, pointers whose object has a known size, and pointers that stay inside it at all times.
// Spectre v4. A load may overtake an earlier store to the same slot and see what was there before: stores that change
// what a slot may be used for get a barrier (InsnFacts::needs_nospec).
//
// Soundness: with a mask of limit L the machine adds some m in [0, L] on every path, guessed or not. L is how far the
// checked result moved from the checked pointer, so pointer + m lies between the two, both inside the object.
#pragma once

#include "verifier/kinds/access.h"
#include "verifier/verification.h"

namespace ring3::verifier {

/// One pointer that moves by one amount. begin() before the result is computed, finish() after.
class PointerMasking {
 public:
  /// ptr, amount: as before the instruction. amount_in_src: else the amount stands in dst.
  PointerMasking(Step& step, const RegState& ptr, const RegState& amount, bool amount_in_src);

  Result<void> begin();
  Result<void> finish(const RegState& result);

 private:
  enum class Limit : std::uint8_t { kNone, kKind, kOutside };
  Limit limit_of(const RegState& ptr, std::int64_t& limit) const;
  Errno refuse(Rule rule);
  Result<void> check_limit(const RegState& ptr, std::int64_t& limit);
  /// The path on which the amount was masked to 0.
  Result<void> walk_unmoved();

  Step& step_;
  const RegState& ptr_;
  const RegState& amount_;
  const bool needed_;
  const bool amount_in_src_;
  const bool adds_;
  const bool constant_;
  const bool negative_;
  bool towards_start_ = false;
  std::int64_t before_ = 0;
};

/// Additions and subtractions of numbers by a register: no path may bring a pointer to the same instruction.
Result<void> note_number_arith(Step& step);

/// The moved pointer in dst is inside its object.
Result<void> check_moved_pointer(Step& step);

/// After a wrong guess the conditional jump goes to `target`: its operands hold anything there.
Result<void> walk_wrong_guess(Step& step, std::uint32_t target);
/// Turns a path that cannot happen into what may happen after a wrong guess at this conditional jump.
void make_wrong_guess(const isa::Insn& insn, PathState& path);

/// A store of `access` to bytes of a stack slot: does it need a barrier?
void note_stack_store(Step& step, const Access& access, const StackSlot& slot, unsigned first_byte);

}  // namespace ring3::verifier
