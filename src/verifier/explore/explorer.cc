#include "verifier/explore/explorer.h"

#include <algorithm>

#include "uapi/bpf.h"
#include "verifier/call/call.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/diag/report.h"
#include "verifier/explore/progress.h"
#include "verifier/explore/recorder.h"
#include "verifier/explore/states_equal.h"
#include "verifier/flow/flow.h"
#include "verifier/kinds/owned_args.h"
#include "verifier/precision/backtrack.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

constexpr std::size_t kMaxPending = 8192;
constexpr std::size_t kLongHistory = 256;   // instructions after which a checkpoint is kept anyway
constexpr std::uint32_t kMinJumps = 2, kMinInsns = 8;       // between checkpoints
constexpr std::uint32_t kLoopJumps = 20, kLoopInsns = 100;  // the same inside a loop that goes on
constexpr std::uint32_t kPatience = 5, kLoopPatience = 64;   // misses per hit

/// At an instruction that closes loops: whether this visit may end in `old`, whose walk is still going on: if the round ends by
/// itself, at the next step of an iterator only while that yields.
bool may_close_loop(const Program& prog, const PathState& old, const PathState& cur) {
  if (progress(old, cur) != Progress::kMade) return false;
  if (!prog.marked(cur.insn_idx, kMarkIterNext)) return true;
  const RegState& it = cur.reg(1);
  if (it.kind != RegKind::kStack || !it.val.is_const() || it.frameno >= cur.frames.size()) return false;
  const std::int64_t off = static_cast<std::int64_t>(it.val.const_value()) + it.off;
  const SlotStack& stack = cur.frames[it.frameno]->stack;
  if (off >= 0 || static_cast<std::size_t>((-off - 1) / kSlotBytes) >= stack.size()) return false;
  const StackSlot& slot = stack[static_cast<std::size_t>((-off - 1) / kSlotBytes)];
  return slot.is_object(SlotByte::kIter) && slot.object.state == SlotObject::State::kActive;
}

/// Whether a path may end in `old`, paths from which have ended in states that are still being walked: their rounds ended by
/// themselves, and so does one by way of `cur` if it has got as far.
bool may_join(const Checkpoint& old, const PathState& cur) {
  const Checkpoint* open = old.state.parent;
  while (open != nullptr && open->open_paths == 0) open = open->state.parent;
  return open != nullptr && progress(old.state, cur, open->instances) != Progress::kLost;
}

/// What counts as a jump between checkpoints: everything that leads elsewhere, calls too.
bool is_jump(isa::Op op) {
  using isa::Op;
  switch (op) {
    case Op::kJa: case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle: case Op::kJset:
    case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle: case Op::kMayGoto: case Op::kCallHelper: case Op::kCallKfunc:
    case Op::kCallSubprog: case Op::kExit:
      return true;
    default: return false;
  }
}

bool same_calls(const PathState& a, const PathState& b) {
  return a.frames.size() == b.frames.size() &&
         std::equal(a.frames.begin(), a.frames.end(), b.frames.begin(),
                    [](const auto& x, const auto& y) { return x->callsite == y->callsite; });
}

void forget_written(PathState& state) {
  for (FramePtr& frame : state.frames) {
    for (RegState& reg : frame->regs) reg.written = false;
    for (StackSlot& slot : frame->stack) slot.spilled.written = false;
  }
}

}  // namespace

PathState Explorer::entry_state(const EntryPoint& entry) {
  const std::uint32_t subprog = entry.subprog;
  PathState path;
  path.frames.push_back(frames_.make());
  FrameState& frame = path.frame();
  frame.subprog = subprog;
  frame.may_gotos.number = new_instance();
  path.insn_idx = path.prev_idx = prog_.subprogs[subprog].start;
  path.in_sleepable = entry.may_sleep;
  set_pointer(frame.regs[isa::kFrameReg], RegKind::kStack);
  if (entry.async != nullptr) {
    frame.role = FrameRole::kAsyncCallback;
    path.prev_idx = entry.async->callsite;
    set_async_arguments(*this, prog_, *entry.async, frame);
    return path;
  }
  if (subprog == 0 && !prog_.replaces) {
    set_pointer(frame.regs[1], RegKind::kCtx);
    own_arguments(prog_, path, *this);
    return path;
  }
  if (prog_.subprogs[subprog].is_exception_callback) frame.role = FrameRole::kExceptionCallback;
  const std::vector<GlobalArg>& args = prog_.subprogs[subprog].args;
  for (std::size_t i = 0; i < args.size(); ++i) {
    RegState& reg = frame.regs[i + 1];
    const std::uint16_t null = args[i].nullable ? std::uint16_t{model::kMaybeNull} : std::uint16_t{0};
    switch (args[i].kind) {
      case GlobalArg::Kind::kScalar: case GlobalArg::Kind::kArena: set_unknown(reg); break;
      case GlobalArg::Kind::kCtx: set_pointer(reg, RegKind::kCtx); break;
      case GlobalArg::Kind::kDynptr:
        set_pointer(reg, RegKind::kDynptr);  // of what kind, only its callers know
        reg.payload = model::kDynptrAny;
        reg.id = new_id();
        break;
      case GlobalArg::Kind::kMem:
        set_pointer(reg, RegKind::kMem, null);
        reg.mem_bytes = args[i].mem_bytes;
        break;
      case GlobalArg::Kind::kHostStruct:
        set_pointer(reg, RegKind::kHostStruct, static_cast<std::uint16_t>(model::kTrusted | null));
        reg.btf = args[i].btf;
        reg.btf_type = args[i].type;
        break;
    }
    if (reg.maybe_null()) reg.id = new_id();
  }
  return path;
}

Result<void> Explorer::walk(const EntryPoint& entry, Rejection& rejection) {
  PathState path = entry_state(entry);
  diag_.scratched.all();
  Result<void> done = run(path, entry.async != nullptr);
  while (done.ok() && !pending_.empty()) {
    frames_.give_back(std::move(path.history));
    path = std::move(pending_.back());
    pending_.pop_back();
    if (path.dead) {
      checkpoints_.path_ended(path.parent);
      continue;
    }
    done = run(path, true);
  }
  if (!done.ok()) rejection = make_rejection(diag_, prog_, &path);
  Stats& stats = out_.stats;
  stats.states_total += checkpoints_.total();
  stats.states_peak = std::max(stats.states_peak, checkpoints_.total());
  stats.peak_memory_bytes = std::max(stats.peak_memory_bytes, frames_.bytes() + checkpoints_.bytes());
  stats.max_states_per_insn = std::max(stats.max_states_per_insn, checkpoints_.most_per_insn());
  return done;
}

Result<void> Explorer::run(PathState& path, bool resumed) {
  const bool log = diag_.wants(kLogNormal | kLogStates);
  bool returned = false;  // from a function, by the instruction before
  bool covered = false;
  for (;;) {
    if (path.insn_idx >= prog_.size()) return diag_.refuse(Rule::kInvalidIndex, {path.insn_idx, prog_.size()});
    if (++out_.stats.insns_processed > prog_.limits.max_insns_processed)
      return diag_.refuse(Rule::kTooLarge, {out_.stats.insns_processed});
    if (prog_.marked(path.insn_idx, kMarkPrune)) covered = RING3_TRY(visit(path)) == Visit::kCovered;
    if (covered) break;
    // What a checkpoint taken here has settled, the line does not repeat.
    if (log && (resumed || (returned && diag_.wants(kLogStates)))) log_resume(diag_, prog_, path);
    // What a branch taught is told of the branch, unless the path was only now taken up behind it.
    const bool behind_branch = log && !resumed && !returned && successors(prog_, path.prev_idx).count == 2;
    resumed = false;
    bool ended = false;
    const std::size_t depth = path.frames.size();
    RING3_TRY(execute(path, behind_branch ? path.prev_idx : path.insn_idx, ended));
    returned = path.frames.size() < depth;
    if (ended || path.dead) break;
  }
  checkpoints_.path_ended(path.parent);
  // Behind the precision that the end of a loop passed on.
  if (covered && log && (resumed || returned)) log_resumed_safe(diag_, path);
  else if (covered && log) diag_.print("{}: safe\n", {path.insn_idx});
  return {};
}

/// state_idx: the instruction that the log tells what is known by.
Result<void> Explorer::execute(PathState& path, std::uint32_t state_idx, bool& ended) {
  const std::uint32_t idx = path.insn_idx;
  if (witness_ != nullptr) witness_->impl().record(prog_, path);
  const std::uint32_t frame = path.depth();
  const Program::RegUses uses = prog_.reg_uses[idx];
  path.history.push_back({.idx = idx, .frameno = static_cast<std::uint8_t>(frame), .only_makes = uses.only_makes});
  if (diag_.wants(kLogNormal | kLogStates)) log_insn(diag_, prog_, path, state_idx);
  Step step{prog_, path, diag_, *this, out_, idx, &path.history.back(), noted_};
  // Code that only wrong guesses reach is dead: it is removed, and then no guess reaches it.
  if (!path.speculative) step.facts().reachable = true;
  if (is_jump(prog_.insn(idx).op)) ++jumps_;
  Checkpoints::note_read(path, frame, uses.reads, 0);
  RING3_TRY(execute_insn(step));
  note_written(path, frame, uses.writes);
  path.prev_idx = idx;
  ended = step.path_ended;
  return {};
}

/// frame: the one whose instruction was executed. It may be gone, or no longer the last.
void Explorer::note_written(PathState& path, std::uint32_t frame, std::uint16_t regs) {
  if (path.depth() < frame) return;  // r0 of a caller was lost when it called
  path.written.add_regs(frame, regs);
  if (path.depth() > frame) path.written.add_frame(path.depth());
}

Result<Explorer::Visit> Explorer::visit(PathState& path) {
  const std::uint32_t idx = path.insn_idx;
  const bool loops = prog_.marked(idx, kMarkCallsCallback | kMarkIterNext | kMarkMayGoto);
  const bool force = prog_.marked(idx, kMarkForceCheckpoint) || path.history.size() > kLongHistory ||
                     (prog_.in.flags & uapi::BPF_F_TEST_STATE_FREQ) != 0;
  const std::uint32_t insns = out_.stats.insns_processed;
  // A path that comes back from a callback has the number already.
  if (prog_.marked(idx, kMarkCallsCallback) && path.frame().callbacks.number == 0) path.frame().callbacks = {new_instance(), 0};
  bool add = force || (jumps_ - jumps_at_checkpoint_ >= kMinJumps && insns - insns_at_checkpoint_ >= kMinInsns);
  if (prog_.limits.no_pruning && !loops) return Visit::kGoOn;

  // What a witness of every path saw is held against runs: they are in no other state than it saw.
  const bool everything = prog_.limits.no_pruning && witness_ != nullptr;
  // The newest first: paths end near where they forked, and what was walked last is most like them.
  Checkpoints::Here& here = checkpoints_.at(idx);
  for (std::size_t i = here.size(); i-- > 0;) {
    Checkpoint* old = here[i];
    if (!same_calls(old->state, path)) continue;  // the same instruction, but not the same place
    const bool settled = Checkpoints::is_settled(*old);
    if (old->open_paths > 0) {
      // An ancestor of this path: being in its state again is the end of a loop that ends by itself, or an endless one.
      if (loops && may_close_loop(prog_, old->state, path) && states_equal(prog_, old->state, path, Compare::kWithin, nullptr, everything)) {
        ++old->hits;
        checkpoints_.add_back_edge(old, path.fork(frames_));
        return Visit::kCovered;
      }
      if (progress(old->state, path) != Progress::kMade && states_equal(prog_, old->state, path, Compare::kExact))
        return diag_.refuse(Rule::kInfiniteLoop, {idx});
      if (!loops || prog_.marked(idx, kMarkMayGoto)) {
        // The states of a loop are seldom alike, unless it has branches that paths come out of.
        const bool forked = forks_ != forks_at_checkpoint_;
        if (!force && !forked && jumps_ - jumps_at_checkpoint_ < kLoopJumps && insns - insns_at_checkpoint_ < kLoopInsns) add = false;
      }
    } else if (settled ? states_equal(prog_, old->state, path, Compare::kCovered, &old->read, everything)
                       : states_equal(prog_, old->state, path, Compare::kWithin, nullptr, everything) && may_join(*old, path)) {
      ++old->hits;
      if (settled) {
        Checkpoints::pass_on_precision(prog_, diag_, old->state, path);
        Checkpoints::pass_on_reads(old->read, path);
      } else {
        checkpoints_.add_back_edge(old, path.fork(frames_));
      }
      return Visit::kCovered;
    }
    // Checkpoints that never cover anything only cost time: they are compared no more (but keep their precision). One that is not
    // complete rests until it is. A visit that is not kept itself does not count: otherwise a loop would drive out the checkpoints
    // before it.
    if (!add) continue;
    const std::uint32_t patience = loops ? kLoopPatience : kPatience;
    if (++old->misses > old->hits * patience + patience) {
      old->resting = old->open_paths > 0;
      here.erase(here.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  if (add) {
    RING3_TRY(check_memory());
    keep(path);
  }
  return Visit::kGoOn;
}

Result<void> Explorer::check_memory() const {
  const std::uint64_t most = prog_.limits.max_memory_bytes;
  return frames_.bytes() + checkpoints_.kept_bytes() <= most ? Result<void>{} : diag_.refuse(Rule::kTooMuchMemory, {most});
}

void Explorer::keep(PathState& path) {
  jumps_at_checkpoint_ = jumps_;
  forks_at_checkpoint_ = forks_;
  insns_at_checkpoint_ = out_.stats.insns_processed;
  // The history so far is the checkpoint's; the path starts a new one, in the memory it has.
  Checkpoint* checkpoint = checkpoints_.add(path.insn_idx, path.fork_state(frames_), path.history);
  checkpoint->instances = instances_;
  path.history.clear();
  path.written = {};
  // Only the log tells what was written since the last checkpoint; of the checkpoint it tells what was before it.
  if (diag_.wants(kLogNormal | kLogStates)) forget_written(path);
  path.parent = checkpoint;
}

PathState* Explorer::fork(const PathState& path, std::uint32_t insn_idx, std::uint32_t from_idx) {
  if (pending_.size() >= kMaxPending) {
    diag_.refuse(Rule::kTooManyBranches, {pending_.size()});
    return nullptr;
  }
  if (!check_memory().ok()) return nullptr;
  ++forks_;
  pending_.push_back(path.fork(frames_));
  PathState& other = pending_.back();
  other.insn_idx = insn_idx;
  other.prev_idx = from_idx;
  ++other.branch_depth;
  if (other.parent != nullptr) ++other.parent->open_paths;
  return &other;
}

Result<void> Explorer::mark_precise(PathState& path, unsigned regno) {
  if (!path.reg(regno).is_scalar()) return {};
  ValueSet wanted;
  wanted.regs[path.depth()] = static_cast<std::uint16_t>(1u << regno);
  mark_chain_precise(prog_, diag_, path, wanted, false);
  return {};
}

Result<void> Explorer::mark_slot_precise(PathState& path, std::uint32_t frameno, std::uint32_t slot) {
  ValueSet wanted;
  wanted.slots[frameno] = std::uint64_t{1} << slot;
  mark_chain_precise(prog_, diag_, path, wanted, false);
  return {};
}

const PathState* Explorer::previous_visit(const PathState& path, std::uint32_t insn_idx, bool skip_current) {
  const Checkpoint* from = path.parent;
  if (skip_current && from != nullptr && from->state.insn_idx == insn_idx) from = from->state.parent;
  for (const Checkpoint* c = from; c != nullptr; c = c->state.parent)
    if (c->state.insn_idx == insn_idx && same_calls(c->state, path)) return &c->state;
  return nullptr;
}

}  // namespace ring3::verifier
