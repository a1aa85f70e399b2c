// The machine's own verifier: one program of an object file by BPF_PROG_LOAD, with the numbers it reports.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ring3::bench {

struct Figures {
  double usec = 0;
  std::uint64_t insns = 0;         // processed
  std::uint64_t memory_bytes = 0;  // 0: not known
};

/// Nothing: refused, or bpf(2) does not load programs here. Loads, and unloads at once; attaches nothing.
std::optional<Figures> verify_in_kernel(const std::string& object_path, const std::string& program);

}  // namespace ring3::bench
