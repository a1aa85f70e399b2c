// Precision on demand: from a register whose exact value mattered back to everything that determined it.
//
// Scalars of a checkpoint are imprecise at first: pruning ignores their values. When a check relies on a
// scalar, the instructions since the last checkpoint are run through backwards, keeping the set of registers and
// stack slots whose values flow into it. Those still in the set at the checkpoint become precise there, and
// the walk goes on in the segment before, until the set is empty or everything in it was precise already.
//
// Soundness: the set only ever loses a register where its value is made from nothing imprecise (constants,
// results of calls, loads from memory whose content is unknown to the verifier). Where the walk would not
// understand an instruction, all scalars of all checkpoints on the path become precise instead.
#pragma once

#include "verifier/diag/diag.h"
#include "verifier/program.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {

/// Marks what determined `wanted` before the last instruction of path.history.
/// include_last: the last history entry is part of the walk (the values are wanted after it).
/// diag: log level 2 shows every step.
void mark_chain_precise(const Program& prog, Diag& diag, PathState& path, ValueSet wanted, bool include_last);
/// Marks all scalars precise on every checkpoint of the path.
void mark_all_precise(PathState& path);

}  // namespace ring3::verifier
