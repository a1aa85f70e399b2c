// What the interpreter runs: one 16-byte step per instruction slot, everything looked up in advance.
//
// The host's memory safety rests on the verifier; translation checks only what the loop itself relies on:
// jumps stay inside, the last step does not fall through, register numbers are real, r10 is never
// written, helpers and callees exist, and calls nest at most kMaxFrames deep.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "isa/rows.h"
#include "rewrite/xlated.h"
#include "ring3/result.h"

namespace ring3::exec {

inline constexpr std::uint32_t kMaxFrames = 8;

/// What a step does: the index of its row in insn.def, or one of these.
enum StepKind : std::uint16_t {
  kStepTailCall = isa::kRowCount,
  kStepLoadOrZero,    // a load that may fault: imm = bytes
  kStepLoadSxOrZero,
  kStepCount,
};

struct Step {
  std::uint16_t kind;
  std::uint8_t dst;
  std::uint8_t src;
  std::int32_t off;      // bytes, or steps from the next one for whatever has a target
  std::int64_t imm;      // operand; address of a HelperFn or KfuncCall; index of a called subprogram
};
static_assert(sizeof(Step) == 16);

struct StepSubprog {
  std::uint32_t start;
  std::uint32_t stack_bytes;   // of its own frame, rounded to 16
  std::uint32_t stack_need;    // with the deepest chain of calls below it
};

struct InterpProgram {
  std::shared_ptr<const rewrite::XlatedProgram> source;   // owns what kfunc steps point to
  std::vector<Step> steps;
  std::vector<StepSubprog> subprogs;
};

/// Errors: kInval not well formed (see above); kOpNotSupp packet loads and arena casts, which rewriting removes.
Result<InterpProgram> translate(std::shared_ptr<const rewrite::XlatedProgram> program);

}  // namespace ring3::exec
