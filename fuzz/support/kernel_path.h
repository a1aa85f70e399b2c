// The path that the log of a kernel's verifier ends with, and where on it the kernel knows less of a number than ring3 does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "verifier/witness.h"

namespace ring3::fuzz {

/// What a kernel knows of a register that holds a number.
struct KernelNumber {
  unsigned regno = 0;
  std::int64_t smin = INT64_MIN, smax = INT64_MAX;
  std::uint64_t umin = 0, umax = UINT64_MAX;
  std::int32_t smin32 = INT32_MIN, smax32 = INT32_MAX;
  std::uint32_t umin32 = 0, umax32 = UINT32_MAX;
};

/// An instruction that the kernel walked, and the numbers that the log shows behind it.
struct KernelStep {
  std::uint32_t idx = 0;
  std::vector<KernelNumber> numbers;
};
std::vector<KernelStep> path_of(const std::string& log);

/// The first step behind which the kernel allows numbers that ring3 knows not to occur there, or goes a way that ring3 rules out.
struct Departure {
  std::uint32_t idx = 0;
  bool way = false;    // it is the way, and not a number
  unsigned regno = 0;  // else this register's
};
using Believed = std::function<verifier::Belief(std::uint32_t from, std::uint32_t idx, unsigned regno)>;
std::optional<Departure> first_departure(const std::vector<KernelStep>& path, const Believed& believed);

}  // namespace ring3::fuzz
