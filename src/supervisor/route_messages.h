// Messages of rtnetlink, as far as they are about XDP programs at devices: what a client asks, and answers in the kernel's form.
// Bytes in, bytes out; nothing here calls the kernel. Formats: linux/netlink.h, linux/rtnetlink.h, linux/if_link.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "syscall/device_request.h"

namespace ring3::supervisor {

using Bytes = std::vector<std::byte>;

/// The header of the first message.
struct RouteHeader {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t serial = 0;
  /// It is answered by messages up to NLMSG_DONE.
  bool dumps() const;
  /// It is answered by NLMSG_ERROR, code 0 for success.
  bool wants_acknowledgement() const;
  /// It asks for something, and changes nothing.
  bool asks() const;
  bool lists_devices() const;
};

/// None: not one whole message.
std::optional<RouteHeader> route_header(std::span<const std::byte> request);
/// None: not a well-formed request to put an XDP program at a device of a number.
std::optional<syscall::DeviceRequest> device_request(std::span<const std::byte> request);

/// The answer to a request: code 0, or a negated errno with words for people (NLMSGERR_ATTR_MSG), "" none. port: of the client's socket.
Bytes acknowledge(std::span<const std::byte> request, std::uint32_t port, int code, std::string_view why);
/// A datagram of the kernel's with what it says of XDP at these devices replaced: their program, if they have one, is the driver's.
Bytes with_programs(std::span<const std::byte> datagram, std::span<const syscall::DeviceProgram> devices);
/// The datagram ends the answer to a request.
bool is_last(std::span<const std::byte> datagram, const RouteHeader& request);

}  // namespace ring3::supervisor
