#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ring3 {

/// One run of a program on bytes of the host's choosing, as BPF_PROG_TEST_RUN makes it.
struct TestRun {
  const void* data = nullptr;  ///< the packet, link-layer header first; for kinds that work on one
  std::size_t data_bytes = 0;
  /// Kinds with a packet: __sk_buff or xdp_md; syscall programs: their context; struct_ops members: 64 bits for each
  /// argument, of pointers the address of the struct.
  const void* ctx = nullptr;
  std::size_t ctx_bytes = 0;
  std::uint32_t repeat = 0;    ///< runs, at least one is made; syscall programs: 0
};

struct TestRunOutcome {
  std::uint32_t retval = 0;
  std::uint32_t duration_ns = 0;  ///< mean of one run
  std::vector<std::byte> data;    ///< the packet as the program left it
  std::vector<std::byte> ctx;
};

}  // namespace ring3
