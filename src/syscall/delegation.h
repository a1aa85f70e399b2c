// What a bpffs mount lets tokens made from it stand in for (behaviour.md B.6.2, B.7): bit masks over the numbers of
// commands, map types, program types and attach types.
#pragma once

#include <cstdint>

namespace ring3::syscall {

struct Delegation {
  std::uint64_t cmds = 0, maps = 0, progs = 0, attachs = 0;

  bool any() const { return (cmds | maps | progs | attachs) != 0; }
  static bool has(std::uint64_t mask, std::uint32_t number) { return number < 64 && (mask >> number & 1) != 0; }
};

}  // namespace ring3::syscall
