#include "control/packet.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "control/protocol.h"
#include "control/strange_file.h"

namespace ring3::control {
namespace {

constexpr std::size_t kMostFiles = 253;  // as many as a packet can have: room to see, and close, what a client should not have sent

}  // namespace

Result<void> send_packet(int socket, std::span<const std::byte> bytes, int file) {
  if (bytes.size() > kMaxPacketBytes) return Errno::kTooBig;
  iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};  // iovec has no const form
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (file >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &file, sizeof file);
  }
  for (;;) {
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent >= 0) return {};
    if (errno != EINTR) return Errno::kConnRefused;
  }
}

Result<Packet> receive_packet(int socket, bool client) {
  Packet packet;
  packet.bytes.resize(kMaxPacketBytes);
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMostFiles * sizeof(int))];
  msghdr message{};
  ssize_t bytes;
  do {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = too_many_strange_files() ? 0 : sizeof control;
    bytes = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return Errno::kConnRefused;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
      OwnedFd owned(fd);
      owned = harmless(client ? own_socket(std::move(owned)) : std::move(owned));
      if (!packet.file) packet.file = std::move(owned);
    }
  }
  // No message of the protocol is empty, so an empty packet is the end like the end itself.
  if (bytes == 0) return Errno::kConnRefused;
  packet.bytes.resize(static_cast<std::size_t>(bytes));
  packet.cut = (message.msg_flags & MSG_TRUNC) != 0;
  packet.file_lost = (message.msg_flags & MSG_CTRUNC) != 0 && !packet.file;
  return packet;
}

}  // namespace ring3::control
