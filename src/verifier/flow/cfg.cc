// Control flow: a depth-first walk of every function in which each edge is seen once.
//
// An edge to an instruction still on the walk's stack closes a loop. With rights loops are left to the
// path search, which either sees them end or refuses them; without rights they are refused here.
// States are compared where paths may meet: at conditional jumps, at jump targets, after calls.
#include <vector>

#include "model/helper.h"
#include "model/rights.h"
#include "uapi/bpf.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

using isa::Op;

enum class Visit : std::uint8_t { kNew, kOpen, kDone };

struct Walker {
  Program& prog;
  Diag& diag;
  std::vector<Visit> visits;
  struct Open {
    std::uint32_t idx;
    unsigned next_edge;
  };
  std::vector<Open> stack{};
  // States behind calls out of the program are seldom alike. Whoever asks for many wants them where Linux has them.
  bool every_call = (prog.in.flags & uapi::BPF_F_TEST_STATE_FREQ) != 0;

  void mark(std::uint32_t idx, unsigned bits) { prog.marks[idx] = static_cast<std::uint8_t>(prog.marks[idx] | bits); }

  void mark_points(std::uint32_t idx, const Successors& next) {
    const isa::Insn& insn = prog.insn(idx);
    if (next.count == 2) {
      mark(idx, kMarkPrune);
      mark(next.next[1], kMarkPrune | kMarkJumpTarget);
      if (insn.op == Op::kMayGoto) mark(idx, kMarkForceCheckpoint | kMarkMayGoto);
    } else if (insn.op == Op::kJa) {
      mark(next.next[0], kMarkPrune | kMarkJumpTarget);
    } else if (insn.op == Op::kCallSubprog || (every_call && (insn.op == Op::kCallHelper || insn.op == Op::kCallKfunc))) {
      mark(idx + 1, kMarkPrune);
      if (every_call && insn.op == Op::kCallSubprog) mark(idx, kMarkPrune);
    }
    if (advances_iterator(prog, insn)) mark(idx, kMarkPrune | kMarkForceCheckpoint | kMarkIterNext);
    if (calls_callback(prog, insn)) mark(idx, kMarkPrune | kMarkForceCheckpoint | kMarkCallsCallback);
  }

  Result<void> walk(std::uint32_t start) {
    stack.push_back({start, 0});
    visits[start] = Visit::kOpen;
    mark(start, kMarkPrune);
    while (!stack.empty()) {
      Open& top = stack.back();
      const Successors next = successors(prog, top.idx);
      if (top.next_edge == 0) mark_points(top.idx, next);
      if (top.next_edge == next.count) {
        visits[top.idx] = Visit::kDone;
        stack.pop_back();
        continue;
      }
      const std::uint32_t to = next.next[top.next_edge++];
      if (to >= prog.size()) return diag.refuse(Rule::kJumpOutOfRange, {top.idx, to});
      if (visits[to] == Visit::kOpen && !model::is_allowed(prog.in.rights, model::Allowance::kLoops))
        return diag.refuse(Rule::kBackEdge, {top.idx, to});
      if (visits[to] == Visit::kNew) {
        visits[to] = Visit::kOpen;
        stack.push_back({to, 0});
      }
    }
    return {};
  }
};

}  // namespace

bool calls_callback(Program& prog, const isa::Insn& insn) {
  if (insn.op == Op::kCallKfunc) {
    std::uint32_t index = 0;
    return prog.find_kfunc(insn, index) != nullptr && prog.special_of(index) == model::KfuncSpecial::kRbtreeAdd;
  }
  if (insn.op != Op::kCallHelper) return false;
  const model::HelperProto* proto = model::find_helper(static_cast<std::uint32_t>(insn.imm));
  return proto != nullptr && (proto->flags & (model::kHelperLoops | model::kHelperForEach | model::kHelperDrain | model::kHelperFindVma)) != 0;
}

bool advances_iterator(const Program& prog, const isa::Insn& insn) {
  if (insn.op != Op::kCallKfunc) return false;
  std::uint32_t index = 0;
  const model::Kfunc* kfunc = prog.find_kfunc(insn, index);
  return kfunc != nullptr && (kfunc->flags & model::kKfuncIterNext) != 0;
}

Result<void> check_cfg(Program& prog, Diag& diag) {
  prog.marks.assign(prog.size(), 0);
  Walker walker{prog, diag, std::vector<Visit>(prog.size(), Visit::kNew)};
  for (const SubprogInfo& sub : prog.subprogs) RING3_TRY(walker.walk(sub.start));
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    if (walker.visits[i] != Visit::kDone) return diag.refuse(Rule::kUnreachable, {i});
    if (prog.insn(i).op != Op::kLdImm64) continue;
    if (walker.visits[i + 1] != Visit::kNew) return diag.refuse(Rule::kJumpIntoWide, {i});
    ++i;
  }
  return {};
}

}  // namespace ring3::verifier
