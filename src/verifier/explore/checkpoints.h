// States kept at instructions where paths meet, for pruning and for precision.
//
// A checkpoint is complete when no path that starts from it is pending or running: `open_paths` counts them.
// Only complete checkpoints may prune by kCovered. A checkpoint that others have as parent stays in memory:
// precision marks travel along parents, and whether a path is open is told to all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "verifier/state/path_state.h"

namespace ring3::verifier {

struct Checkpoint {
  PathState state;               // state.history: how it was reached from state.parent
  std::uint32_t open_paths = 1;  // paths and unfinished checkpoints that go on from here
  std::uint32_t hits = 0, misses = 0;
  bool in_loop = false;          // a path came back here before it was complete: precision may be incomplete
  std::vector<Checkpoint*> loop_entries{};
};

class Checkpoints {
 public:
  explicit Checkpoints(std::uint32_t insns) : at_(insns) {}

  std::vector<Checkpoint*>& at(std::uint32_t idx) { return at_[idx]; }
  Checkpoint* add(std::uint32_t idx, PathState&& state);
  /// A path that goes on from `from` has ended.
  static void path_ended(Checkpoint* from);
  std::uint32_t total() const { return static_cast<std::uint32_t>(all_.size()); }
  std::uint32_t most_per_insn() const { return most_; }
  void clear();

 private:
  std::vector<std::unique_ptr<Checkpoint>> all_;
  std::vector<std::vector<Checkpoint*>> at_;
  std::uint32_t most_ = 0;
};

}  // namespace ring3::verifier
