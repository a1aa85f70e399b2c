// XDP programs that stand at a device by themselves, in numbers: what crosses between a client and device_programs.h.
#pragma once

#include <cstdint>

namespace ring3::syscall {

/// A device of the host that takes one XDP program (HookKind::kXdp, not a chain).
struct DeviceProgram {
  std::uint32_t device = 0;
  std::uint32_t program = 0;  // its id; 0: none
  bool operator==(const DeviceProgram&) const = default;
};

/// As IFLA_XDP_FD, _FLAGS and _EXPECTED_FD.
struct DeviceRequest {
  std::uint32_t device = 0;
  std::int32_t program = -1;   // a descriptor of the caller; negative: none shall stand there
  std::uint32_t flags = 0;     // XDP_FLAGS_; the modes are taken, one at most, and make no difference
  std::int32_t expected = -1;  // with XDP_FLAGS_REPLACE: what stands there now; negative: nothing
  bool operator==(const DeviceRequest&) const = default;
};

}  // namespace ring3::syscall
