// States kept at instructions where paths meet, for pruning and for precision.
//
// A checkpoint is complete when no path that starts from it is pending or running: `open_paths` counts them.
// Paths are walked depth first, so an incomplete checkpoint is always an ancestor of the current path.
//
// Loops over callbacks end in an ancestor: the path is covered by a checkpoint (the header) whose walk is still
// going on, by comparison of all ranges. Such a back edge is kept: precision that the header gains later must
// also reach what flows into it around the loop. Checkpoints inside a loop whose header is incomplete may be
// missing precision, so until then they cover others by ranges only.
//
// Of a settled checkpoint only what its paths looked at tells states apart (`read`). Every instruction notes what it reads; a note
// goes up the chain of checkpoints until a segment in which the value was overwritten (PathState::written) or a checkpoint that
// has it already. A path that ends in a checkpoint inherits its notes, around loops when they are settled.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "verifier/diag/diag.h"
#include "verifier/program.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {

struct Checkpoint {
  std::uint32_t open_paths = 1;   // paths, and incomplete checkpoints, that go on from here
  std::uint32_t hits = 0, misses = 0;
  bool resting = false;           // not compared until it is complete: so far it was in vain
  std::uint32_t depth = 0;        // checkpoints above it
  std::uint32_t instances = 0;    // numbers of instances given out before it was kept
  Checkpoint* loop_header = nullptr;  // outermost header whose loop it is in
  ValueSet read;                  // what some path from here looked at before it overwrote it
  PathState state;                // its history is empty
  std::span<const HistoryEntry> history;  // how it was reached from state.parent
  Checkpoint* made_before = nullptr;
};

class Checkpoints {
 public:
  Checkpoints(const Program& prog, Diag& diag) : prog_(prog), diag_(diag), memory_(prog.limits.chunks), at_(prog.size(), &memory_) {}
  ~Checkpoints();
  Checkpoints(const Checkpoints&) = delete;
  Checkpoints& operator=(const Checkpoints&) = delete;

  using Here = std::pmr::vector<Checkpoint*>;
  Here& at(std::uint32_t idx) { return at_[idx]; }
  /// history: is copied.
  Checkpoint* add(std::uint32_t idx, PathState&& state, std::span<const HistoryEntry> history);
  /// A path that goes on from `from` has ended.
  void path_ended(Checkpoint* from);
  /// What `checkpoint` says about precision, and what it says was read, is final.
  static bool is_settled(const Checkpoint& checkpoint);
  /// `path` ended because `header`, whose precision is not final, covers it.
  void add_back_edge(Checkpoint* header, PathState&& path);
  /// Notes what a path looks at.
  static void note_read(PathState& path, std::uint32_t frame, std::uint16_t regs, std::uint64_t slots);
  /// Everything that was looked at behind `covering` is looked at behind `path`.
  static void pass_on_reads(const ValueSet& read, PathState& path);
  /// Scalars precise in `covering` determined that what follows is fine: they are precise on `path` too.
  static void pass_on_precision(const Program& prog, Diag& diag, const PathState& covering, PathState& path);

  std::uint32_t total() const { return total_; }
  std::uint32_t most_per_insn() const { return most_; }
  /// The same without back edges; cheap.
  std::uint64_t kept_bytes() const { return memory_.bytes(); }
  /// Of checkpoints and back edges, without their frames.
  std::uint64_t bytes() const;

 private:
  struct BackEdge {
    Checkpoint* header;
    PathState path;
    ValueSet passed_on{};  // of the header's reads
  };
  /// Passes precision around loops until nothing changes.
  void settle();

  const Program& prog_;
  Diag& diag_;
  Arena memory_;  // of checkpoints, their histories and the lists of them
  Checkpoint* last_ = nullptr;
  std::uint32_t total_ = 0;
  std::pmr::vector<Here> at_;
  std::vector<BackEdge> back_edges_;
  std::uint32_t most_ = 0;
};

}  // namespace ring3::verifier
