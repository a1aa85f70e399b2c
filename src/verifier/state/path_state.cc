#include "verifier/state/path_state.h"

namespace ring3::verifier {

void FrameRelease::operator()(FrameState* frame) const { pool->give_back(frame); }

void* FramePool::new_place() {
  if (free_.capacity() == made_) free_.reserve(made_ < 16 ? 16 : 2 * made_);
  ++made_;
  return memory_.allocate(sizeof(FrameState), alignof(FrameState));
}

FramePtr FramePool::make() {
  if (free_.empty()) {
    auto* frame = new (new_place()) FrameState{{}, SlotStack(&memory_)};
    return FramePtr(frame, FrameRelease{this});
  }
  FramePtr frame(free_.back(), FrameRelease{this});
  free_.pop_back();
  SlotStack stack = std::move(frame->stack);
  stack.clear();
  *frame = FrameState{};
  frame->stack = std::move(stack);
  return frame;
}

FramePtr FramePool::copy(const FrameState& from) {
  if (free_.empty()) {
    auto* frame = new (new_place()) FrameState{{from}, SlotStack(from.stack, &memory_)};
    return FramePtr(frame, FrameRelease{this});
  }
  FramePtr frame(free_.back(), FrameRelease{this});
  free_.pop_back();
  *frame = from;
  return frame;
}

void FramePool::give_back(FrameState* frame) noexcept { free_.push_back(frame); }

std::vector<HistoryEntry> FramePool::make_history() {
  if (histories_.empty()) return {};
  std::vector<HistoryEntry> history = std::move(histories_.back());
  histories_.pop_back();
  history.clear();
  return history;
}

void FramePool::give_back(std::vector<HistoryEntry>&& history) {
  if (histories_.size() < kMostHistories && history.capacity() > 0) histories_.push_back(std::move(history));
}

PathState PathState::fork(FramePool& pool) const {
  PathState out = fork_state(pool);
  out.history = pool.make_history();
  out.history.assign(history.begin(), history.end());
  return out;
}

PathState PathState::fork_state(FramePool& pool) const {
  PathState out;
  for (const FramePtr& f : frames) out.frames.push_back(pool.copy(*f));
  out.refs = refs;
  out.parent = parent;
  out.written = written;
  out.insn_idx = insn_idx;
  out.prev_idx = prev_idx;
  out.rcu_depth = rcu_depth;
  out.preempt_depth = preempt_depth;
  out.branch_depth = branch_depth;
  out.lock = lock;
  out.in_sleepable = in_sleepable;
  out.speculative = speculative;
  out.dead = dead;
  out.widened = widened;
  return out;
}

}  // namespace ring3::verifier
