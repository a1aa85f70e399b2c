// What a selftest object says about each of its programs: BTF declaration tags `comment:test_…` on the
// function of the same name.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct btf;

namespace ring3::conformance {

/// Any value is right (the program returns an address).
inline constexpr std::int64_t kAnyPointer = 0xbadcafe;
inline constexpr std::uint32_t kTestDataBytes = 64;

/// Expectations of one program in one mode (with or without rights).
struct Expected {
  bool wanted = false;                 // the case exists in this mode
  bool failure = false;
  std::vector<std::string> messages;   // in order of the log; {{regex}} parts
  std::vector<std::string> xlated;
  std::optional<std::int64_t> retval;  // run once after loading
};

struct Expectations {
  bool tagged = false;                 // any tag at all
  bool auxiliary = false;              // no test; loaded with every other that is loaded with rights …
  bool auxiliary_unprivileged = false; // … or without
  bool other_arch = false;             // for machines unlike this one
  Expected privileged, unprivileged;
  std::uint32_t log_level = 0;
  std::uint32_t flags_set = 0, flags_cleared = 0;
  std::string btf_path;                // CO-RE target instead of the kernel's BTF; relative to the sources
};

/// Tags of function `name`. problem: set when a tag is not understood.
Expectations read_expectations(const btf* btf, const char* name, std::string& problem);

}  // namespace ring3::conformance
