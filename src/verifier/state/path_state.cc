#include "verifier/state/path_state.h"

namespace ring3::verifier {

void FrameRelease::operator()(FrameState* frame) const { pool->give_back(frame); }

void FramePool::grow() {
  const std::size_t all = (slabs_.size() + 1) * kSlabFrames;
  if (free_.capacity() < all) free_.reserve(2 * all);
  slabs_.push_back(std::make_unique<FrameState[]>(kSlabFrames));
  for (std::size_t i = kSlabFrames; i-- > 0;) free_.push_back(&slabs_.back()[i]);
}

FramePtr FramePool::take() {
  if (free_.empty()) grow();
  FramePtr frame(free_.back(), FrameRelease{this});
  free_.pop_back();
  return frame;
}

FramePtr FramePool::make() {
  FramePtr frame = take();
  std::vector<StackSlot> stack = std::move(frame->stack);
  stack.clear();
  *frame = FrameState{};
  frame->stack = std::move(stack);
  return frame;
}

FramePtr FramePool::copy(const FrameState& from) {
  FramePtr frame = take();
  *frame = from;
  return frame;
}

void FramePool::give_back(FrameState* frame) noexcept { free_.push_back(frame); }

PathState PathState::fork(FramePool& pool) const {
  PathState out;
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
  out.lock = lock;
  out.in_sleepable = in_sleepable;
  out.speculative = speculative;
  out.dead = dead;
  return out;
}

}  // namespace ring3::verifier
