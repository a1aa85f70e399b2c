#pragma once

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

}  // namespace ring3
