// Combined stack of every call chain, after the walk has found how much each function uses.
//
// The call graph of a program is small (at most 256 functions, 8 frames); all chains are walked, heavier ones only.
// A chain longer than the frame limit is refused, which also refuses recursion of any kind. A callback that runs later
// starts a chain of its own; naming it costs nothing, unless it is also called, or run by a helper at once. So does the exception
// callback: nothing calls it, and what it calls may be reached by no other chain.
#include <algorithm>
#include <vector>

#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

constexpr std::uint32_t kFrameRounding = 16;
constexpr std::uint32_t kTailCallerBytes = 256;  // callers of a tail-calling function use less

struct CallGraph {
  std::vector<std::vector<std::uint32_t>> callees;
};

CallGraph call_graph(const Program& prog) {
  CallGraph graph;
  graph.callees.resize(prog.subprogs.size());
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    const isa::Insn& insn = prog.insn(i);
    std::int64_t target = -1;
    if (insn.op == isa::Op::kCallSubprog) target = std::int64_t{i} + 1 + insn.jump;
    if (insn.op == isa::Op::kLdImm64 && insn.pseudo() == isa::Pseudo::kFunc)
      target = std::int64_t{i} + 1 + static_cast<std::int32_t>(insn.imm);
    if (target < 0) continue;
    auto& list = graph.callees[prog.subprog_at(i)];
    const std::uint32_t callee = prog.subprog_starting(static_cast<std::uint32_t>(target));
    const SubprogInfo& named = prog.subprogs[callee];
    if (insn.op == isa::Op::kLdImm64 && named.is_async_callback && !named.is_sync_callback) continue;
    if (std::find(list.begin(), list.end(), callee) == list.end()) list.push_back(callee);
  }
  return graph;
}

std::uint32_t rounded(std::uint32_t bytes) { return (bytes + kFrameRounding - 1) / kFrameRounding * kFrameRounding; }

struct Chains {
  const Program& prog;
  Diag& diag;
  const CallGraph& graph;
  /// Most bytes with which a function was entered at a frame number, plus one: a lighter chain adds nothing.
  std::vector<std::uint32_t> heaviest;

  Result<void> walk(std::uint32_t subprog, std::uint32_t bytes_above, std::uint32_t frame) {
    const SubprogInfo& sub = prog.subprogs[subprog];
    if (frame >= prog.limits.max_frames) return diag.refuse(Rule::kTooManyFrames, {frame});
    std::uint32_t& seen = heaviest[subprog * prog.limits.max_frames + frame];
    if (seen > bytes_above) return {};
    seen = bytes_above + 1;
    const std::uint32_t bytes = bytes_above + rounded(counted_stack_bytes(prog, sub));
    if (bytes > prog.limits.max_stack_bytes) return diag.refuse(Rule::kCombinedStack, {frame + 1, bytes});
    if (sub.has_tail_call && frame > 0 && bytes_above >= kTailCallerBytes)
      return diag.refuse(Rule::kTailCallStack, {bytes_above});
    for (const std::uint32_t callee : graph.callees[subprog])
      RING3_TRY(walk(callee, bytes, frame + 1));
    return {};
  }
};

}  // namespace

Result<void> check_stack_depth(Program& prog, Diag& diag) {
  const CallGraph graph = call_graph(prog);
  std::vector<std::uint32_t> heaviest(prog.subprogs.size() * prog.limits.max_frames, 0);
  Chains chains{prog, diag, graph, std::move(heaviest)};
  for (std::uint32_t s = 0; s < prog.subprogs.size(); ++s)
    if (s == 0 || prog.subprogs[s].is_async_callback || prog.subprogs[s].is_exception_callback) RING3_TRY(chains.walk(s, 0, 0));
  return {};
}

}  // namespace ring3::verifier
