// The states behind a Witness (verifier/witness.h).
#pragma once

#include <vector>

#include "verifier/program.h"
#include "verifier/state/path_state.h"
#include "verifier/witness.h"

namespace ring3::verifier {

struct Witness::Impl {
  static constexpr std::size_t kMostStates = 20'000;

  /// A path that is about to execute path.insn_idx.
  void record(const Program& prog, const PathState& path);

  struct State {
    std::vector<FrameState> frames;
    std::uint32_t from;  // instruction executed before
    std::string text;
  };
  std::vector<std::vector<State>> at;  // per instruction
  std::size_t count = 0;
  bool with_text = false;
  bool accessed_somewhere = false;
  bool on_wrong_guess = false;  // the last one
  bool on_widened = false;      // the last one
};

}  // namespace ring3::verifier
