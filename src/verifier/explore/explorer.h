// The search: walks paths depth first until every one has ended, was covered by an earlier one, or broke a rule.
//
// One Explorer walks one entry point: main, or a global function on its own. Limits are shared through Stats.
#pragma once

#include <vector>

#include "verifier/explore/checkpoints.h"
#include "verifier/verification.h"
#include "verifier/witness.h"

namespace ring3::verifier {

/// Where a walk starts: a function, entered as main, as a global function, or as a callback of its own.
struct EntryPoint {
  std::uint32_t subprog = 0;
  bool may_sleep = false;
  const AsyncEntry* async = nullptr;
};

class Explorer final : public Search {
 public:
  Explorer(Program& prog, Diag& diag, VerifiedProgram& out, FramePool& frames, std::vector<std::uint8_t>& noted,
           std::uint32_t& ids, Witness* witness)
      : prog_(prog), diag_(diag), out_(out), frames_(frames), noted_(noted), ids_(ids), witness_(witness), checkpoints_(prog, diag) {}

  /// Walks everything that can follow from the first instruction of the entry's function.
  /// rejection: filled in when a path breaks a rule.
  Result<void> walk(const EntryPoint& entry, Rejection& rejection);

  PathState* fork(const PathState& path, std::uint32_t insn_idx, std::uint32_t from_idx) override;
  Result<void> mark_precise(PathState& path, unsigned regno) override;
  Result<void> mark_slot_precise(PathState& path, std::uint32_t frameno, std::uint32_t slot) override;
  const PathState* previous_visit(const PathState& path, std::uint32_t insn_idx, bool skip_current) override;
  void looks_at(PathState& path, std::uint32_t frameno, std::uint64_t slots) override {
    Checkpoints::note_read(path, frameno, 0, slots);
  }
  FramePool& frames() override { return frames_; }
  std::uint32_t new_id() override { return ++ids_; }
  std::uint32_t new_instance() override { return ++instances_; }

 private:
  enum class Visit : std::uint8_t { kGoOn, kCovered };

  PathState entry_state(const EntryPoint& entry);
  /// Runs one path to its end. resumed: it was put aside before, and the log says where it goes on.
  Result<void> run(PathState& path, bool resumed);
  Result<void> execute(PathState& path, std::uint32_t state_idx, bool& ended);
  /// Compares with earlier visits of the path's instruction; may keep this one.
  Result<Visit> visit(PathState& path);
  void keep(PathState& path);
  Result<void> check_memory() const;
  static void note_written(PathState& path, std::uint32_t frame, std::uint16_t regs);

  Program& prog_;
  Diag& diag_;
  VerifiedProgram& out_;
  FramePool& frames_;
  std::vector<std::uint8_t>& noted_;
  std::uint32_t& ids_;
  Witness* witness_;  // null: nobody looks on
  Checkpoints checkpoints_;
  std::vector<PathState> pending_;
  std::uint32_t instances_ = 0;
  std::uint32_t jumps_ = 0;             // walked in all
  std::uint32_t forks_ = 0;
  std::uint32_t jumps_at_checkpoint_ = 0, insns_at_checkpoint_ = 0, forks_at_checkpoint_ = 0;
};

/// One instruction of one path.
Result<void> execute_insn(Step& step);

}  // namespace ring3::verifier
