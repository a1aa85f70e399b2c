// For tests: every tier that runs programs, and every way of compiling them.
#pragma once

#include <memory>
#include <vector>

#include "exec/jit.h"

namespace ring3::exec::testing {

inline constexpr JitOptions kWaysToCompile[] = {JitOptions{}, JitOptions{.blind_constants = true}, JitOptions{.baseline_cpu = true}};

/// The interpreter first; alone where nothing compiles for this machine. memory: outlives what they make.
inline std::vector<std::unique_ptr<Engine>> every_tier(CodeMemory& memory) {
  std::vector<std::unique_ptr<Engine>> tiers;
  tiers.push_back(make_interpreter());
  if (jit_available())
    for (const JitOptions options : kWaysToCompile) tiers.push_back(make_jit(memory, options));
  return tiers;
}

}  // namespace ring3::exec::testing
