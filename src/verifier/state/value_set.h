// Registers and stack slots, per frame.
#pragma once

#include <cstdint>

namespace ring3::verifier {

inline constexpr std::uint32_t kMaxFrames = 8;

struct ValueSet {
  std::uint16_t regs[kMaxFrames] = {};   // bit n: rn
  std::uint64_t slots[kMaxFrames] = {};  // bit n: slot n (state/frame_state.h)

  bool empty() const {
    for (std::uint32_t f = 0; f < kMaxFrames; ++f)
      if (regs[f] != 0 || slots[f] != 0) return false;
    return true;
  }
  void add_regs(std::uint32_t frame, unsigned mask) { regs[frame] = static_cast<std::uint16_t>(regs[frame] | mask); }
  void add_slots(std::uint32_t frame, std::uint64_t mask) { slots[frame] |= mask; }
  void add_frame(std::uint32_t frame) { regs[frame] = UINT16_MAX, slots[frame] = UINT64_MAX; }

  friend bool operator==(const ValueSet&, const ValueSet&) = default;
};

}  // namespace ring3::verifier
