// How far a path has got with what ends by itself: open-coded iterators, calls that run a callback again and again, may_goto's.
//
// A path may end in a state that its own walk has passed before only if something of that kind went on in between, or the
// program might go round for ever. Each of these things has a number that tells it from others of its kind, and tells its age
// (Search::new_instance()), and counts how often it went on on this path.
//
// Soundness: things are compared by age. What a round changes first, going from the oldest to the youngest, must be a thing that is
// still there and went on; younger ones may have been replaced meanwhile. So every round lowers, in that order, the number of steps
// that the things in the header's state have left, each of which is finite: no mixture of rounds can go on for ever.
#pragma once

#include <cstdint>

#include "verifier/state/path_state.h"

namespace ring3::verifier {

enum class Progress : std::uint8_t {
  kNone,  // all are where they were
  kMade,
  kLost,  // one was replaced, and no older one went on
};

constexpr std::uint32_t kEveryInstance = UINT32_MAX;

/// From `old` to `cur`, two states at one place in the same calls, of the things in `old` whose numbers are at most `youngest`.
Progress progress(const PathState& old, const PathState& cur, std::uint32_t youngest = kEveryInstance);

}  // namespace ring3::verifier
