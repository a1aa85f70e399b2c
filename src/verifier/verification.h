// What one run of the verifier writes, and what a step of it works with.
//
// Rule rooms (transfer/, kinds/, call/) get a Step& and nothing else: the prepared program to read, the
// path to change, a sink for refusals, the search to ask for forks and precision, and the output rows.
#pragma once

#include <cstdint>

#include "ring3/result.h"
#include "verifier/diag/diag.h"
#include "verifier/program.h"
#include "verifier/state/path_state.h"
#include "base/try.h"
#include "verifier/verifier.h"

namespace ring3::verifier {

/// What the search offers to a step.
class Search {
 public:
  /// A second path from `path` as it is now, to be walked later from `insn_idx`. Null when the limit of pending
  /// branches is reached (refused already). The result stays valid until the next fork().
  virtual PathState* fork(const PathState& path, std::uint32_t insn_idx, std::uint32_t from_idx) = 0;
  /// Makes every scalar that determined register `regno` of the current frame precise (precision/).
  virtual Result<void> mark_precise(PathState& path, unsigned regno) = 0;
  /// The same for the spilled scalar of a stack slot of frame `frameno`.
  virtual Result<void> mark_slot_precise(PathState& path, std::uint32_t frameno, std::uint32_t slot) = 0;
  /// Nearest checkpoint of this path that was taken at `insn_idx` in functions called from the same places, or null.
  /// skip_current: not the one taken at this very visit.
  virtual const PathState* previous_visit(const PathState& path, std::uint32_t insn_idx, bool skip_current) = 0;
  /// What becomes of `path` may depend on what these slots of frame `frameno` hold.
  virtual void looks_at(PathState& path, std::uint32_t frameno, std::uint64_t slots) = 0;
  virtual FramePool& frames() = 0;
  /// A number no value on any path carries yet: ids of values, references, null tests.
  virtual std::uint32_t new_id() = 0;
  /// The same for what ends by itself (state/frame_state.h): numbers rise.
  virtual std::uint32_t new_instance() = 0;

 protected:
  ~Search() = default;
};

struct Step {
  Program& prog;
  PathState& path;
  Diag& diag;
  Search& search;
  VerifiedProgram& out;
  std::uint32_t idx = 0;       // instruction being executed
  HistoryEntry* entry = nullptr;  // its row in the path's history
  std::vector<std::uint8_t>& noted;  // per instruction: which facts an earlier visit has filled in
  bool path_ended = false;     // the program ended

  const isa::Insn& insn() const { return prog.insn(idx); }
  FrameState& frame() { return path.frame(); }
  RegState& reg(unsigned i) { return path.frame().regs[i]; }
  InsnFacts& facts() { return out.insns[idx]; }
  /// True once per instruction and fact: the first visit fills it in, later ones compare.
  enum Fact : std::uint8_t {
    kFactMap = 1, kFactConstArgs = 2, kFactCtxRow = 4, kFactPercpu = 8, kFactArena = 16, kFactNumber = 32, kFactWeak = 64, kFactCallback = 128
  };
  bool first_note(Fact fact) {
    std::uint8_t& seen = noted[idx];
    const bool first = (seen & fact) == 0;
    seen = static_cast<std::uint8_t>(seen | fact);
    return first;
  }
};

}  // namespace ring3::verifier
