// Functions of the program: every target of a call or of a callback address starts one.
#include <algorithm>

#include "model/rights.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::size_t kMaxSubprogs = 256;

Result<std::uint32_t> subprog_target(const Program& prog, Diag& diag, std::uint32_t idx, std::int64_t displacement) {
  const std::int64_t target = std::int64_t{idx} + 1 + displacement;
  if (target < 0 || target >= prog.size()) return diag.refuse(Rule::kCallInvalidDestination);
  return static_cast<std::uint32_t>(target);
}

bool ends_function(Op op) { return op == Op::kExit || op == Op::kJa; }

/// Jumps stay inside [start, end), and control cannot run over the end.
Result<void> check_bounds(const Program& prog, Diag& diag, const SubprogInfo& sub) {
  for (std::uint32_t i = sub.start; i < sub.end; ++i) {
    const isa::Insn& insn = prog.insn(i);
    switch (insn.op) {
      case Op::kJa: case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle:
      case Op::kJset: case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle: case Op::kMayGoto: {
        const std::int64_t target = std::int64_t{i} + 1 + insn.jump;
        if (target < sub.start || target >= sub.end) return diag.refuse(Rule::kJumpOutOfRange, {i, target});
        break;
      }
      default: break;
    }
  }
  if (!ends_function(prog.insn(sub.end - 1).op)) return diag.refuse(Rule::kLastInsn);
  return {};
}

}  // namespace

Result<void> find_subprogs(Program& prog, Diag& diag) {
  std::vector<std::uint32_t> starts{0};
  std::vector<std::uint32_t> callbacks;
  const bool may_call = model::is_allowed(prog.in.rights, model::Allowance::kFunctions);
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    const isa::Insn& insn = prog.insn(i);
    const bool address = insn.op == Op::kLdImm64 && insn.pseudo() == isa::Pseudo::kFunc;
    if (insn.op != Op::kCallSubprog && !address) {
      if (insn.op == Op::kCallKfunc && !may_call) return diag.refuse(Rule::kCallsNeedRights);
      continue;
    }
    if (!may_call) return diag.refuse(Rule::kCallsNeedRights);
    const std::int64_t displacement = address ? static_cast<std::int32_t>(insn.imm) : insn.jump;
    const std::uint32_t target = RING3_TRY(subprog_target(prog, diag, i, displacement));
    starts.push_back(target);
    if (address) callbacks.push_back(target);
  }
  const std::uint32_t exception = RING3_TRY(exception_callback(prog, diag));
  if (exception != UINT32_MAX) starts.push_back(exception);
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  if (starts.size() > kMaxSubprogs) return diag.refuse(Rule::kTooManySubprogs);

  prog.subprogs.resize(starts.size());
  for (std::size_t s = 0; s < starts.size(); ++s) {
    SubprogInfo& sub = prog.subprogs[s];
    sub.start = starts[s];
    sub.end = s + 1 < starts.size() ? starts[s + 1] : prog.size();
    sub.is_exception_callback = sub.start == exception;
    sub.is_callback = sub.is_exception_callback || std::find(callbacks.begin(), callbacks.end(), sub.start) != callbacks.end();
    RING3_TRY(check_bounds(prog, diag, sub));
  }
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    const isa::Insn& insn = prog.insn(i);
    if (insn.op == Op::kCallHelper && insn.imm == 12) prog.subprogs[prog.subprog_at(i)].has_tail_call = true;
  }
  return {};
}

std::uint32_t named_subprog(const Program& prog, std::uint32_t idx) {
  const isa::Insn& insn = prog.insn(idx);
  std::int64_t target = -1;
  if (insn.op == isa::Op::kCallSubprog) target = std::int64_t{idx} + 1 + insn.jump;
  if (insn.op == isa::Op::kLdImm64 && insn.pseudo() == isa::Pseudo::kFunc)
    target = std::int64_t{idx} + 1 + static_cast<std::int32_t>(insn.imm);
  return target < 0 ? UINT32_MAX : prog.subprog_starting(static_cast<std::uint32_t>(target));
}

Successors successors(const Program& prog, std::uint32_t idx) {
  const isa::Insn& insn = prog.insn(idx);
  const std::uint32_t target = static_cast<std::uint32_t>(std::int64_t{idx} + 1 + insn.jump);
  switch (insn.op) {
    case Op::kExit: return {};
    case Op::kJa: return {{target, 0}, 1};
    case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle: case Op::kJset:
    case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle: case Op::kMayGoto:
      return {{idx + 1, target}, 2};
    case Op::kLdImm64: return {{idx + 2, 0}, 1};
    default: return {{idx + 1, 0}, 1};
  }
}

}  // namespace ring3::verifier
