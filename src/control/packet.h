// One packet of a SOCK_SEQPACKET socket, with at most one descriptor. Blocking; a peer that is gone is an
// error and never a signal.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::control {

struct Packet {
  std::vector<std::byte> bytes;
  OwnedFd file;
  bool cut = false;        // the packet was longer than kMaxPacketBytes; the rest is lost
  bool file_lost = false;  // a file was sent, but this process has no room for it
};

/// Errors: kTooBig more than kMaxPacketBytes; kConnRefused the peer is gone.
Result<void> send_packet(int socket, std::span<const std::byte> bytes, int file = -1);

/// client: the peer is one, and may mean ill: what it sends is no socket but tells of one (strange_file.h).
/// Errors: kConnRefused the peer is gone. More than one descriptor in a packet: all but the first are closed.
Result<Packet> receive_packet(int socket, bool client = false);

}  // namespace ring3::control
