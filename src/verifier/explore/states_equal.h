// Whether what an earlier visit proved covers a new one.
#pragma once

#include "verifier/program.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {

enum class Compare : std::uint8_t {
  kCovered,  // everything reachable from `cur` was reachable from `old`, whose walk is complete: imprecise scalars match
  kWithin,   // all scalars must lie in the old ranges: the old walk may not be complete (loops over callbacks)
  kExact,    // the very same state: an endless loop
};

/// Registers of one of a state's frames that some path from it reads; the others cannot tell it apart.
std::uint16_t live_regs(const Program& prog, const PathState& state, std::size_t frame);

/// old: a checkpoint. Both at the same instruction. read: what paths from it looked at, when all have ended; null: what the program's
/// text says may be looked at. everything: nothing is left out, dead or not, and `old` holds all numbers of `cur`.
bool states_equal(const Program& prog, const PathState& old, const PathState& cur, Compare how, const ValueSet* read = nullptr,
                  bool everything = false);

}  // namespace ring3::verifier
