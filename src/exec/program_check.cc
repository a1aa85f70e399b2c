#include "exec/program_check.h"

#include <algorithm>

#include "base/try.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;
using isa::Row;

class Checker {
 public:
  explicit Checker(const rewrite::XlatedProgram& program) : in_(program) {}

  Result<CheckedProgram> run() {
    RING3_TRY(check_subprogs());
    out_.rows.reserve(in_.insns.size());
    for (const CheckedSubprog& subprog : out_.subprogs)
      for (std::uint32_t idx = subprog.start; idx < subprog.end; ++idx) RING3_TRY(check_insn(subprog, idx));
    frames_.resize(out_.subprogs.size());
    for (std::uint32_t subprog = 0; subprog < out_.subprogs.size(); ++subprog) RING3_TRY(measure(subprog));
    return std::move(out_);
  }

 private:
  Result<void> check_subprogs() {
    const std::uint64_t count = in_.insns.size();
    if (in_.subprogs.empty() || count == 0 || count > INT32_MAX) return Errno::kInval;
    std::uint32_t covered = 0;
    for (const rewrite::XlatedSubprog& subprog : in_.subprogs) {
      if (subprog.start_idx != covered || subprog.start_idx >= subprog.end_idx || subprog.end_idx > count)
        return Errno::kInval;
      covered = subprog.end_idx;
      if (subprog.stack_bytes > isa::kMaxStackBytes) return Errno::kInval;
      const std::uint32_t rounded = (subprog.stack_bytes + 15) / 16 * 16;
      out_.subprogs.push_back({subprog.start_idx, subprog.end_idx, rounded, 0});
    }
    return covered == count ? Result<void>() : Errno::kInval;
  }

  Result<void> check_insn(const CheckedSubprog& in, std::uint32_t idx) {
    const Insn& insn = in_.insns[idx];
    const int found = isa::find_row(insn);
    if (found < 0) return Errno::kInval;
    const Row& row = isa::kRows[static_cast<std::size_t>(found)];
    out_.rows.push_back(static_cast<std::uint8_t>(found));
    RING3_TRY(check_registers(insn, row));
    RING3_TRY(check_flow(in, idx, insn, row));
    switch (insn.op) {
      case Op::kCallHelper: return check_helper(insn);
      case Op::kCallKfunc: return check_kfunc(insn);
      case Op::kCallSubprog: return out_.callee(in_, idx) < 0 ? Result<void>(Errno::kInval) : Result<void>();
      case Op::kLdAbs: case Op::kLdInd: case Op::kAddrSpaceCast: return Errno::kOpNotSupp;
      default: return {};
    }
  }

  static Result<void> check_registers(const Insn& insn, const Row& row) {
    if (row.dst.is_register() && insn.dst > rewrite::kRewriteReg) return Errno::kInval;
    if (row.src.is_register() && insn.src > rewrite::kRewriteReg) return Errno::kInval;
    if (row.dst.writes() && insn.dst == isa::kFrameReg) return Errno::kInval;
    if (row.src.writes() && insn.src == isa::kFrameReg) return Errno::kInval;
    return {};
  }

  /// Targets and fall through: never outside the subprogram, never into the middle of a wide immediate. Where a call
  /// leads is checked with the callee.
  Result<void> check_flow(const CheckedSubprog& in, std::uint32_t idx, const Insn& insn, const Row& row) const {
    const auto lands = [&](std::int64_t target) {
      return target >= in.start && target < in.end &&
             in_.insns[static_cast<std::size_t>(target)].op != Op::kLdImm64Hi;
    };
    const bool jumps = (row.effects & isa::kHasTarget) && insn.op != Op::kCallSubprog;
    if (jumps && !lands(std::int64_t{idx} + 1 + insn.jump)) return Errno::kInval;
    if (row.effects & isa::kIsWide) {
      const bool paired = idx + 1 < in.end && in_.insns[idx + 1].op == Op::kLdImm64Hi;
      return paired && lands(std::int64_t{idx} + 2) ? Result<void>() : Errno::kInval;
    }
    if (insn.op == Op::kLdImm64Hi)
      return idx > in.start && in_.insns[idx - 1].op == Op::kLdImm64 ? Result<void>() : Errno::kInval;
    if (!(row.effects & isa::kEnds) && !lands(std::int64_t{idx} + 1)) return Errno::kInval;
    return {};
  }

  Result<void> check_helper(const Insn& insn) const {
    if (insn.imm < 0 || static_cast<std::uint64_t>(insn.imm) >= in_.helpers.size()) return Errno::kInval;
    return in_.helpers[static_cast<std::size_t>(insn.imm)].fn == nullptr ? Result<void>(Errno::kInval) : Result<void>();
  }

  Result<void> check_kfunc(const Insn& insn) const {
    if (insn.imm < 0 || static_cast<std::uint64_t>(insn.imm) >= in_.kfuncs.size()) return Errno::kInval;
    const rewrite::KfuncCall& kfunc = in_.kfuncs[static_cast<std::size_t>(insn.imm)];
    return kfunc.address == nullptr ? Result<void>(Errno::kInval) : Result<void>();
  }

  /// Stack need and depth of a subprogram with everything it calls, each measured once. A chain longer than
  /// kMaxFrames, and so any recursion, is refused.
  Result<void> measure(std::uint32_t subprog) {
    if (frames_[subprog] == kMeasuring) return Errno::kInval;
    if (frames_[subprog] != 0) return {};
    frames_[subprog] = kMeasuring;
    std::uint32_t stack_below = 0;
    std::uint32_t frames_below = 0;
    for (std::uint32_t idx = out_.subprogs[subprog].start; idx < out_.subprogs[subprog].end; ++idx) {
      if (in_.insns[idx].op != Op::kCallSubprog) continue;
      const auto callee = static_cast<std::uint32_t>(out_.callee(in_, idx));
      RING3_TRY(measure(callee));
      stack_below = std::max(stack_below, out_.subprogs[callee].stack_need);
      frames_below = std::max(frames_below, frames_[callee]);
    }
    if (frames_below + 1 > kMaxFrames) return Errno::kInval;
    frames_[subprog] = frames_below + 1;
    out_.subprogs[subprog].stack_need = out_.subprogs[subprog].stack_bytes + stack_below;
    return {};
  }

  static constexpr std::uint32_t kMeasuring = UINT32_MAX;
  const rewrite::XlatedProgram& in_;
  std::vector<std::uint32_t> frames_;  // per subprogram: depth of calls, 0 not measured yet
  CheckedProgram out_;
};

}  // namespace

int CheckedProgram::subprog_at(std::int64_t idx) const {
  for (std::size_t i = 0; i < subprogs.size(); ++i)
    if (subprogs[i].start == idx) return static_cast<int>(i);
  return -1;
}

Result<CheckedProgram> check_program(const rewrite::XlatedProgram& program) { return Checker(program).run(); }

}  // namespace ring3::exec
