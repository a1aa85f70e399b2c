#include "verifier/state/path_state.h"

namespace ring3::verifier {

void FrameRelease::operator()(FrameState* frame) const { pool->give_back(frame); }

FramePtr FramePool::make() {
  if (free_.empty()) {
    ++allocated_;
    return FramePtr(new FrameState, FrameRelease{this});
  }
  FrameState* frame = free_.back().release();
  free_.pop_back();
  std::vector<StackSlot> stack = std::move(frame->stack);
  stack.clear();
  *frame = FrameState{};
  frame->stack = std::move(stack);
  return FramePtr(frame, FrameRelease{this});
}

FramePtr FramePool::copy(const FrameState& from) {
  if (free_.empty()) {
    ++allocated_;
    return FramePtr(new FrameState(from), FrameRelease{this});
  }
  FrameState* frame = free_.back().release();
  free_.pop_back();
  *frame = from;
  return FramePtr(frame, FrameRelease{this});
}

void FramePool::give_back(FrameState* frame) { free_.emplace_back(frame); }

PathState PathState::fork(FramePool& pool) const {
  PathState out;
  out.frames.reserve(frames.size());
  for (const FramePtr& f : frames) out.frames.push_back(pool.copy(*f));
  out.refs = refs;
  out.history = history;
  out.parent = parent;
  out.insn_idx = insn_idx;
  out.prev_idx = prev_idx;
  out.rcu_depth = rcu_depth;
  out.preempt_depth = preempt_depth;
  out.callback_unroll_depth = callback_unroll_depth;
  out.may_goto_depth = may_goto_depth;
  out.branch_depth = branch_depth;
  out.in_sleepable = in_sleepable;
  out.dead = dead;
  return out;
}

}  // namespace ring3::verifier
