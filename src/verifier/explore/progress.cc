#include "verifier/explore/progress.h"

#include <algorithm>

namespace ring3::verifier {
namespace {

/// The oldest thing that is not what it was, so far.
class Oldest {
 public:
  explicit Oldest(std::uint32_t youngest) : age_(youngest) {}
  /// One of `old`, and what is in its place in `cur`.
  void compare(Instance old, Instance cur) {
    if (old.number == 0 || old.number > age_ || old == cur) return;
    age_ = old.number;
    found_ = old.number == cur.number && cur.steps > old.steps ? Progress::kMade : Progress::kLost;
  }
  Progress found() const { return found_; }

 private:
  std::uint32_t age_;
  Progress found_ = Progress::kNone;
};

/// An iterator's first slot tells; elsewhere there is nothing.
Instance iterator_in(const SlotStack& stack, std::size_t slot) {
  if (slot >= stack.size() || !stack[slot].is_object(SlotByte::kIter) || !stack[slot].object.first) return {};
  return {stack[slot].object.instance, stack[slot].object.depth};
}

}  // namespace

Progress progress(const PathState& old, const PathState& cur, std::uint32_t youngest) {
  Oldest oldest(youngest);
  for (std::size_t f = 0; f < old.frames.size(); ++f) {
    const FrameState& a = *old.frames[f];
    const FrameState& b = *cur.frames[f];
    oldest.compare(a.may_gotos, b.may_gotos);
    oldest.compare(a.callbacks, b.callbacks);
    for (std::size_t s = 0; s < a.stack.size(); ++s) oldest.compare(iterator_in(a.stack, s), iterator_in(b.stack, s));
  }
  return oldest.found();
}

}  // namespace ring3::verifier
