#include "control/channel.h"

#include <poll.h>

#include <utility>

namespace ring3::control {

Result<void> Channel::send(const WireWriter& message, int file) {
  if (broken_) return Errno::kConnRefused;
  if (!send_packet(socket_, message.bytes(), file).ok()) return break_off();
  return {};
}

Result<Answer> Channel::ask(const WireWriter& question, int file) {
  if (Result<void> sent = send(question, file); !sent.ok()) return sent.error();
  Result<Packet> packet = receive_packet(socket_, true);
  if (!packet.ok() || packet->cut) return break_off();
  WireReader in(packet->bytes);
  const auto header = in.get<Header>();
  Answer answer;
  answer.value = in.get<std::int64_t>();
  if (!in.finished() || header.type != MessageType::kAnswer || header.serial != serial_) return break_off();
  answer.file = std::move(packet->file);
  return answer;
}

bool Channel::hung_up() const noexcept {
  pollfd on{socket_, POLLRDHUP, 0};
  return broken_ || (::poll(&on, 1, 0) > 0 && on.revents != 0);
}

}  // namespace ring3::control
