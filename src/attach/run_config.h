// What an XDP program says of its place among others at one device (behaviour.md D.6.2): its priority, and the answers after which the next
// one runs too. It stands in its BTF as libxdp has it: in section .xdp_run_config the variable "_" and the function's name, a struct whose members
// are written as those of map definitions are (__uint(priority, 10); __uint(XDP_PASS, 1)).
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "prog/program.h"
#include "ring3/result.h"

namespace ring3::attach {

struct RunConfig {
  static constexpr std::uint32_t kUsualPriority = 50;
  static constexpr std::uint32_t kPass = 2;  // XDP_PASS

  std::uint32_t priority = kUsualPriority;  // lower ones run first
  std::uint32_t chain_on = 1u << kPass;     // by answer, 0 to 31
  std::string function;                     // decides where priorities are the same

  /// It runs before `other`.
  bool before(const RunConfig& other) const {
    return std::tie(priority, function) < std::tie(other.priority, other.function);
  }
  /// From now on where `other` stood.
  void stand_as(const RunConfig& other) {
    priority = other.priority;
    function = other.function;
  }
};

/// The usual values for what the program says nothing of. why: filled on refusal.
/// Errors: kInval a record that is no such struct; kOpNotSupp a member of another name.
Result<RunConfig> read_run_config(const prog::Program& program, std::string& why);

}  // namespace ring3::attach
