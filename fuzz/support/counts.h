// What the verifier's fuzz target has done, for those who run it for a while.
#pragma once

#include <cstdint>

namespace ring3::fuzz {

struct Counts {
  std::uint64_t programs = 0, accepted = 0, runs = 0, steps = 0, edits = 0;
  std::uint64_t seed = 0;     // of the program at hand, where it is made from one
  std::uint64_t excused = 0;  // verdicts that differ where they may
};
Counts& counts();

}  // namespace ring3::fuzz
