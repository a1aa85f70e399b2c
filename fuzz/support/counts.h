// What the verifier's fuzz target has done, for those who run it for a while.
#pragma once

#include <cstdint>

namespace ring3::fuzz {

struct Counts {
  std::uint64_t programs = 0, accepted = 0, runs = 0, steps = 0, edits = 0;
  std::uint64_t seed = 0;     // of the program at hand, where it is made from one
  std::uint64_t loops = 0, loops_accepted = 0;  // programs full of loops, of those
  std::uint64_t too_long = 0;     // accepted, but the walk of every path does not end
  std::uint64_t longest_run = 0;  // steps
  std::uint64_t widened = 0;      // the walk of every path took a loop for endless
  std::uint64_t engine_runs = 0;  // of accepted programs, on interpreter or compiled code
  bool show = false;              // each program, and what is said of it
  std::uint64_t excused = 0;  // verdicts that differ where they may
};
Counts& counts();

}  // namespace ring3::fuzz
