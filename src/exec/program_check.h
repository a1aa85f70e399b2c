// What every tier relies on before it turns a program into something that runs.
//
// The host's memory safety rests on the verifier; this checks only what the engines themselves rely on: jumps
// stay inside their subprogram, none falls through its end, subprograms cover the program in order, register numbers are real, r10 is never written,
// helpers and callees exist, and calls nest at most kMaxFrames deep.
#pragma once

#include <cstdint>
#include <vector>

#include "isa/rows.h"
#include "rewrite/xlated.h"
#include "ring3/result.h"

namespace ring3::exec {

inline constexpr std::uint32_t kMaxFrames = 8;

struct CheckedSubprog {
  std::uint32_t start;
  std::uint32_t end;
  std::uint32_t stack_bytes;  // of its own frame, rounded to 16
  std::uint32_t stack_need;   // with the deepest chain of calls below it
};

struct CheckedProgram {
  std::vector<std::uint8_t> rows;  // per instruction: index of its row
  std::vector<CheckedSubprog> subprogs;

  const isa::Row& row(std::uint32_t idx) const { return isa::kRows[rows[idx]]; }
  /// The subprogram that starts at idx, or -1.
  int subprog_at(std::int64_t idx) const;
  /// The callee of the kCallSubprog at idx, or -1.
  int callee(const rewrite::XlatedProgram& program, std::uint32_t idx) const {
    return subprog_at(std::int64_t{idx} + 1 + program.insns[idx].jump);
  }
};

/// Whether an exception may end it.
inline bool throws(const rewrite::XlatedProgram& program) {
  for (const rewrite::KfuncCall& kfunc : program.kfuncs)
    if (kfunc.throws) return true;
  return false;
}

/// Errors: kInval not well formed (see above); kOpNotSupp packet loads and arena casts, which rewriting removes.
Result<CheckedProgram> check_program(const rewrite::XlatedProgram& program);

}  // namespace ring3::exec
