#pragma once

#include <cstdint>

namespace ring3 {

/// The four capability bits of the bpf(2) model. sys_admin implies bpf and perfmon.
/// A missing right is always kPerm.
struct Capabilities {
  bool bpf = false;        ///< maps, BTF, most programs
  bool perfmon = false;    ///< tracing and struct_ops programs, pointer leaks
  bool net_admin = false;  ///< network program types
  bool sys_admin = false;  ///< walking and opening objects by id
  static constexpr Capabilities all() { return {true, true, true, true}; }
};

/// How much the clients of one user may have made and not given back, over all connections. 0: as much as there is.
/// The host's own calls (Runtime::bpf) do not count. Programs' own allocations and arenas count as far as they are at creation.
/// Beyond it: kPerm one more object; kNoMem bytes; kTooBig a map that alone needs more than `bytes`. The log says which.
struct ClientLimits {
  std::uint32_t maps = 16384;
  std::uint32_t programs = 16384;
  std::uint32_t links = 16384;
  std::uint32_t btfs = 16384;  ///< type descriptions loaded
  std::uint64_t bytes = 0;     ///< of maps as full as they may get, programs and types
};

}  // namespace ring3
