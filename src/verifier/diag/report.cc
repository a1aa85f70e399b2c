// One refusal, as facts. The text of it is in report_text.cc.
#include "verifier/diag/report.h"

#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "isa/reg_use.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/explore/checkpoints.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

using isa::Op;

/// Everything the path executed, oldest first.
std::vector<HistoryEntry> whole_history(const PathState& path) {
  std::vector<std::span<const HistoryEntry>> parts{path.history};
  for (const Checkpoint* c = path.parent; c != nullptr; c = c->state.parent) parts.push_back(c->history);
  std::vector<HistoryEntry> all;
  for (std::size_t p = parts.size(); p-- > 0;) all.insert(all.end(), parts[p].begin(), parts[p].end());
  return all;
}

ReportStep step_at(const Program& prog, std::uint32_t idx, std::string what) {
  ReportStep step;
  step.insn_idx = idx;
  step.insn_text = insn_text(prog, idx);
  step.what = std::move(what);
  if (idx >= prog.line_of.size() || prog.line_of[idx] == UINT32_MAX) return step;
  const LineInfo& line = prog.in.line_info[prog.line_of[idx]];
  step.file = line.file;
  step.line = line.line_num;
  std::string_view text = line.line;
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  step.source = text;
  return step;
}

/// What happened at entry i, seen from the one after it; empty: nothing was decided.
std::string decision(const Program& prog, const std::vector<HistoryEntry>& walked, std::size_t i) {
  const std::uint32_t at = walked[i].idx, to = walked[i + 1].idx;
  const bool deeper = walked[i + 1].frameno > walked[i].frameno;
  if (deeper) return prog.insn(at).op == Op::kCallSubprog ? "entered" : "callback entered";
  if (walked[i + 1].frameno < walked[i].frameno) return "returned";
  const Successors next = successors(prog, at);
  if (next.count != 2) return "";
  return to == next.next[1] ? "taken" : "not taken";
}

/// The decisions that led here in the order of their first time, each once, with how often.
std::vector<ReportStep> causal_path(const Program& prog, const std::vector<HistoryEntry>& walked) {
  std::vector<ReportStep> steps;
  std::map<std::pair<std::uint32_t, std::string>, std::size_t> seen;
  for (std::size_t i = 0; i + 1 < walked.size(); ++i) {
    std::string what = decision(prog, walked, i);
    if (what.empty()) continue;
    const auto [at, fresh] = seen.try_emplace({walked[i].idx, what}, steps.size());
    if (fresh) steps.push_back(step_at(prog, walked[i].idx, std::move(what)));
    else ++steps[at->second].times;
  }
  return steps;
}

/// A value on its way back: a register or a stack slot of a frame.
struct Place {
  std::uint32_t frame;
  bool in_slot;
  unsigned number;
};

/// Where the value came from: every instruction that made it or moved it, the newest first, until its source is outside
/// the program's registers and stack.
class Origin {
 public:
  Origin(const Program& prog, const std::vector<HistoryEntry>& walked) : prog_(prog), walked_(walked) {}

  /// Of the register, before the last entry.
  std::vector<ReportStep> of(unsigned reg) {
    if (walked_.empty()) return {};
    place_ = {walked_.back().frameno, false, reg};
    for (std::size_t i = walked_.size() - 1; i-- > 0 && steps_.size() < kMostSteps;)
      if (!step(i)) break;
    return std::move(steps_);
  }

 private:
  static constexpr std::size_t kMostSteps = 64;  // a value that went around a loop is explained by its last rounds

  bool holds(std::uint32_t frame, unsigned reg) const { return !place_.in_slot && place_.frame == frame && place_.number == reg; }
  void note(const HistoryEntry& e, std::string what) { steps_.push_back(step_at(prog_, e.idx, std::move(what))); }

  /// False: this was the value's source.
  bool step(std::size_t i) {
    const HistoryEntry& e = walked_[i];
    const HistoryEntry& later = walked_[i + 1];
    const isa::Insn& insn = prog_.insn(e.idx);
    if (later.frameno > e.frameno) return entered(e, later, insn);
    if (later.frameno < e.frameno) return returned(e, later);
    const std::uint32_t f = e.frameno;
    if (insn.op == Op::kStore) return stored(e, insn);
    if (place_.in_slot || place_.frame != f) return true;
    if ((isa::reg_use(insn).writes >> place_.number & 1) == 0) return true;
    return made(e, insn);
  }

  bool entered(const HistoryEntry& e, const HistoryEntry& later, const isa::Insn& insn) {
    if (place_.in_slot || place_.frame != later.frameno) return true;
    if (insn.op != Op::kCallSubprog) {
      note(e, "the callback's argument");
      return false;
    }
    note(e, "argument " + std::to_string(place_.number));
    place_.frame = e.frameno;
    return true;
  }

  bool returned(const HistoryEntry& e, const HistoryEntry& later) {
    if (!holds(later.frameno, 0)) return true;
    note(e, "returned");
    place_ = {e.frameno, false, 0};
    return true;
  }

  bool stored(const HistoryEntry& e, const isa::Insn& insn) {
    if (!place_.in_slot || !e.stack_access || e.slot_frame != place_.frame || e.slot != place_.number) return true;
    note(e, "stored to the stack");
    if (!insn.src_is_reg) return false;
    place_ = {e.frameno, false, insn.src};
    return true;
  }

  bool made(const HistoryEntry& e, const isa::Insn& insn) {
    switch (insn.op) {
      case Op::kMov:
        note(e, insn.src_is_reg ? "copied" : "constant");
        place_.number = insn.src;
        return insn.src_is_reg;
      case Op::kMovsx: case Op::kAddrSpaceCast:
        note(e, "copied");
        place_.number = insn.src;
        return true;
      case Op::kLoad: case Op::kLoadSx:
        note(e, e.stack_access ? "loaded from the stack" : "loaded");
        if (!e.stack_access) return false;
        place_ = {e.slot_frame, true, e.slot};
        return true;
      case Op::kCallHelper: case Op::kCallKfunc: case Op::kCallSubprog:
        note(e, place_.number == 0 ? "result of the call" : "lost by the call");
        return false;
      case Op::kLdImm64: note(e, "constant"); return false;
      case Op::kLdAbs: case Op::kLdInd: note(e, "loaded from the packet"); return false;
      case Op::kAtomicFetchAdd: case Op::kAtomicFetchOr: case Op::kAtomicFetchAnd: case Op::kAtomicFetchXor: case Op::kAtomicXchg:
      case Op::kAtomicCmpxchg: note(e, "old value of memory"); return false;
      default: note(e, "changed"); return true;
    }
  }

  const Program& prog_;
  const std::vector<HistoryEntry>& walked_;
  Place place_{};
  std::vector<ReportStep> steps_;
};

/// Registers a call takes: what the callee really reads is not known of all of them, but unset ones are not shown.
std::vector<ReportOperand> operands(const Program& prog, const PathState& path, const std::vector<HistoryEntry>& walked, std::uint32_t idx) {
  std::vector<ReportOperand> out;
  const isa::Insn& insn = prog.insn(idx);
  const bool call = insn.op == Op::kCallHelper || insn.op == Op::kCallKfunc || insn.op == Op::kCallSubprog;
  const std::uint16_t reads = isa::reg_use(insn).reads;
  for (unsigned r = 0; r < isa::kRegCount; ++r) {
    if ((reads >> r & 1) == 0) continue;
    const RegState& reg = path.reg(r);
    const bool unset = reg.kind == RegKind::kNotInit;
    if (unset && call) continue;
    out.push_back({"r" + std::to_string(r), unset ? "nothing (not initialised)" : reg_text(prog, path.frame(), reg), Origin(prog, walked).of(r)});
  }
  return out;
}

}  // namespace

Rejection make_rejection(const Diag& diag, const Program& prog, const PathState* path) {
  Rejection r;
  const RuleRow& row = rule_row(diag.rule());
  r.category = rule_class(diag.rule());
  r.rule = row.name;
  r.demand = row.demand;
  r.message = diag.message();
  r.suggestion = row.hint.empty() ? class_hint(diag.rule()) : row.hint;
  if (path == nullptr || path->insn_idx >= prog.size() || path->history.empty()) return r;
  const std::vector<HistoryEntry> walked = whole_history(*path);
  r.insn_idx = walked.back().idx;
  ReportStep here = step_at(prog, r.insn_idx, "");
  r.insn_text = std::move(here.insn_text);
  r.source_file = std::move(here.file);
  r.source_line = here.line;
  r.source_text = std::move(here.source);
  if (!path->frames.empty()) r.operands = operands(prog, *path, walked, r.insn_idx);
  r.path = causal_path(prog, walked);
  return r;
}

}  // namespace ring3::verifier
