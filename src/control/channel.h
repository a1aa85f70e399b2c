// One request being answered, as the code below the request sees the client: the only way to ask it
// something. Any answer that is not one ends the conversation: the channel is broken from then on, and the
// connection closes after the request.
//
// Blocking: ask() waits for the client as long as it takes. Only the connection's own thread waits; stopping
// the connection (shutdown of the socket) ends the wait.
#pragma once

#include <cstdint>

#include "base/owned_fd.h"
#include "control/packet.h"
#include "control/protocol.h"
#include "control/wire.h"
#include "ring3/result.h"

namespace ring3::control {

struct Answer {
  std::int64_t value = 0;  // or a negated errno
  OwnedFd file;
};

class Channel {
 public:
  explicit Channel(int socket) : socket_(socket) {}

  void start_request(std::uint32_t serial) { serial_ = serial; }
  WireWriter message(MessageType type) const { return WireWriter(type, serial_); }

  /// Errors: kConnRefused the client is gone or talks nonsense.
  Result<Answer> ask(const WireWriter& question, int file = -1);
  Result<void> send(const WireWriter& message, int file = -1);
  bool broken() const { return broken_; }
  /// The client has gone, or this side ends the conversation. Does not wait.
  bool hung_up() const noexcept;

 private:
  Errno break_off() {
    broken_ = true;
    return Errno::kConnRefused;
  }

  const int socket_;
  std::uint32_t serial_ = 0;
  bool broken_ = false;
};

}  // namespace ring3::control
