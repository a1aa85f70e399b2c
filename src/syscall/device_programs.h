// XDP programs that stand at a device by themselves, as rtnetlink's IFLA_XDP puts them there: no link holds them, and they stay until
// somebody sets another or none. Linux: dev_change_xdp_fd().
#pragma once

#include <vector>

#include "syscall/call.h"
#include "syscall/device_request.h"

namespace ring3::syscall {

std::vector<DeviceProgram> device_programs(Kernel& kernel);

/// Errors, explained: kPerm without net_admin; kNoDev the host has no such device; kOpNotSupp it chains programs, or a load has made the program; kNotSupp it was verified only;
/// kInval flags, or no XDP program for devices; kBadF; kBusy a link holds the place, or something stands there and
/// XDP_FLAGS_UPDATE_IF_NOEXIST; kExist what stands there is not what is expected.
Result<void> set_device_program(Call& call, const DeviceRequest& request);

}  // namespace ring3::syscall
