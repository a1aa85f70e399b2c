#include "exec/interp_program.h"

#include <algorithm>

#include "base/try.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;
using isa::Row;

class Translator {
 public:
  explicit Translator(std::shared_ptr<const rewrite::XlatedProgram> program) {
    out_.source = std::move(program);
  }

  Result<InterpProgram> run() {
    RING3_TRY(check_subprogs());
    out_.steps.reserve(in().insns.size());
    for (std::uint32_t idx = 0; idx < in().insns.size(); ++idx) out_.steps.push_back(RING3_TRY(step(idx)));
    frames_.resize(out_.subprogs.size());
    for (std::uint32_t subprog = 0; subprog < out_.subprogs.size(); ++subprog)
      RING3_TRY(measure(subprog));
    return std::move(out_);
  }

 private:
  const rewrite::XlatedProgram& in() const { return *out_.source; }

  Result<void> check_subprogs() {
    const std::uint64_t count = in().insns.size();
    if (in().subprogs.empty() || count == 0 || count > INT32_MAX) return Errno::kInval;
    for (const rewrite::XlatedSubprog& subprog : in().subprogs) {
      if (subprog.start_idx >= subprog.end_idx || subprog.end_idx > count) return Errno::kInval;
      if (subprog.stack_bytes > isa::kMaxStackBytes) return Errno::kInval;
      const std::uint32_t rounded = (subprog.stack_bytes + 15) / 16 * 16;
      out_.subprogs.push_back({subprog.start_idx, rounded, 0});
    }
    if (in().subprogs[0].start_idx != 0) return Errno::kInval;
    return {};
  }

  Result<Step> step(std::uint32_t idx) {
    const Insn& insn = in().insns[idx];
    const int found = isa::find_row(insn);
    if (found < 0) return Errno::kInval;
    const Row& row = isa::kRows[static_cast<std::size_t>(found)];
    RING3_TRY(check_registers(insn, row));
    RING3_TRY(check_flow(idx, insn, row));
    Step step{static_cast<std::uint16_t>(found), insn.dst, insn.src, insn.off, insn.imm};
    if (row.effects & isa::kHasTarget) step.off = insn.jump;
    switch (insn.op) {
      case Op::kCallHelper: return helper_call(step, insn);
      case Op::kCallKfunc: return kfunc_call(step, insn);
      case Op::kCallSubprog: return subprog_call(step, idx, insn);
      case Op::kLdImm64: return wide_immediate(step, insn);
      case Op::kLoad: case Op::kLoadSx: return load(step, idx, insn);
      case Op::kLdAbs: case Op::kLdInd: case Op::kAddrSpaceCast: return Errno::kOpNotSupp;
      default: return step;
    }
  }

  static Result<void> check_registers(const Insn& insn, const Row& row) {
    if (row.dst.is_register() && insn.dst >= isa::kRegCount) return Errno::kInval;
    if (row.src.is_register() && insn.src >= isa::kRegCount) return Errno::kInval;
    if (row.dst.writes() && insn.dst == isa::kFrameReg) return Errno::kInval;
    if (row.src.writes() && insn.src == isa::kFrameReg) return Errno::kInval;
    return {};
  }

  /// Targets and fall through: never outside, never into the middle of a wide immediate.
  Result<void> check_flow(std::uint32_t idx, const Insn& insn, const Row& row) const {
    const auto lands = [&](std::int64_t target) {
      return target >= 0 && target < static_cast<std::int64_t>(in().insns.size()) &&
             in().insns[static_cast<std::size_t>(target)].op != Op::kLdImm64Hi;
    };
    if ((row.effects & isa::kHasTarget) && !lands(std::int64_t{idx} + 1 + insn.jump)) return Errno::kInval;
    if (row.effects & isa::kIsWide) {
      const bool paired = idx + 1 < in().insns.size() && in().insns[idx + 1].op == Op::kLdImm64Hi;
      return paired && lands(std::int64_t{idx} + 2) ? Result<void>() : Errno::kInval;
    }
    if (insn.op == Op::kLdImm64Hi)
      return idx > 0 && in().insns[idx - 1].op == Op::kLdImm64 ? Result<void>() : Errno::kInval;
    if (!(row.effects & isa::kEnds) && !lands(std::int64_t{idx} + 1)) return Errno::kInval;
    return {};
  }

  Result<Step> helper_call(Step step, const Insn& insn) const {
    if (insn.imm < 0 || static_cast<std::uint64_t>(insn.imm) >= in().helpers.size()) return Errno::kInval;
    const rewrite::HelperCall& helper = in().helpers[static_cast<std::size_t>(insn.imm)];
    if (helper.fn == nullptr) return Errno::kInval;
    step.imm = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(helper.fn));
    if (helper.id == uapi::BPF_FUNC_tail_call) step.kind = kStepTailCall;
    return step;
  }

  Result<Step> kfunc_call(Step step, const Insn& insn) const {
    if (insn.imm < 0 || static_cast<std::uint64_t>(insn.imm) >= in().kfuncs.size()) return Errno::kInval;
    const rewrite::KfuncCall& kfunc = in().kfuncs[static_cast<std::size_t>(insn.imm)];
    if (kfunc.address == nullptr) return Errno::kInval;
    step.imm = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(&kfunc));
    return step;
  }

  Result<Step> subprog_call(Step step, std::uint32_t idx, const Insn& insn) const {
    const auto target = static_cast<std::uint32_t>(std::int64_t{idx} + 1 + insn.jump);
    for (std::size_t i = 0; i < out_.subprogs.size(); ++i)
      if (out_.subprogs[i].start == target) {
        step.imm = static_cast<std::int64_t>(i);
        return step;
      }
    return Errno::kInval;
  }

  static Result<Step> wide_immediate(Step step, const Insn& insn) {
    // Whatever it named before rewriting, it is a value now: all kinds run as the plain row.
    Insn plain = insn;
    plain.src = static_cast<std::uint8_t>(isa::Pseudo::kImm);
    step.kind = static_cast<std::uint16_t>(isa::find_row(plain));
    return step;
  }

  Result<Step> load(Step step, std::uint32_t idx, const Insn& insn) const {
    if (!std::binary_search(in().faulting.begin(), in().faulting.end(), idx)) return step;
    step.kind = insn.op == Op::kLoad ? kStepLoadOrZero : kStepLoadSxOrZero;
    step.imm = insn.size;
    return step;
  }

  /// Stack need and depth of a subprogram with everything it calls, each measured once. A chain longer than
  /// kMaxFrames, and so any recursion, is refused.
  Result<void> measure(std::uint32_t subprog) {
    if (frames_[subprog] == kMeasuring) return Errno::kInval;
    if (frames_[subprog] != 0) return {};
    frames_[subprog] = kMeasuring;
    std::uint32_t stack_below = 0;
    std::uint32_t frames_below = 0;
    for (std::uint32_t idx = in().subprogs[subprog].start_idx; idx < in().subprogs[subprog].end_idx; ++idx) {
      if (in().insns[idx].op != Op::kCallSubprog) continue;
      const auto callee = static_cast<std::uint32_t>(out_.steps[idx].imm);
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
  std::vector<std::uint32_t> frames_;   // per subprogram: depth of calls, 0 not measured yet
  InterpProgram out_;
};

}  // namespace

Result<InterpProgram> translate(std::shared_ptr<const rewrite::XlatedProgram> program) {
  return Translator(std::move(program)).run();
}

}  // namespace ring3::exec
