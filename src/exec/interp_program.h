// What the interpreter runs: one 16-byte step per instruction slot, everything looked up in advance.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "exec/engine.h"
#include "exec/program_check.h"
#include "isa/rows.h"
#include "rewrite/xlated.h"
#include "ring3/result.h"

namespace ring3::exec {

/// What a step does: the index of its row in insn.def, or one of these.
enum StepKind : std::uint16_t {
  kStepTailCall = isa::kRowCount,
  kStepLoadOrZero,    // a load that may fault: imm = bytes
  kStepLoadSxOrZero,
  kStepStoreImmOrSkip,  // a store that may fault: src = bytes
  kStepStoreOrSkip,     // imm = bytes
  kStepAtomicOrSkip,    // an atomic that may fault: imm = its row
  kStepThrow,
  kStepHelperMayThrow,  // a helper of a program that throws: it may have called back
  kStepCallDetoured,    // a call of a function with a detour: imm = its index
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

struct InterpProgram {
  std::shared_ptr<const rewrite::XlatedProgram> source;   // owns what kfunc steps point to
  std::vector<Step> steps;
  std::vector<CheckedSubprog> subprogs;
  std::vector<const Detour*> detours;  // per subprogram, null where it has none; or empty

  const Detour* detour(std::uint32_t subprog) const { return detours.empty() ? nullptr : detours[subprog]; }
};

/// Errors: as check_program().
Result<InterpProgram> translate(std::shared_ptr<const rewrite::XlatedProgram> program, Detours detours);

}  // namespace ring3::exec
