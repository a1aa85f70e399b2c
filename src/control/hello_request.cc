// HELLO: both sides say who they are and which version they speak.
#include <unistd.h>

#include "base/try.h"
#include "control/requests.h"

namespace ring3::control {

Result<long> answer_hello(Conversation& with, WireReader& in, Response& out) {
  const auto magic = in.get<std::uint32_t>();
  const auto version = in.get<std::uint32_t>();
  if (!in.finished()) return malformed(out);
  if (magic != kProtocolMagic || version != kProtocolVersion) {
    out.text = "this host speaks version " + std::to_string(kProtocolVersion) + " of the control protocol\n";
    return Errno::kProto;
  }
  if (with.attached) {
    Result<void> given = with.caller.give_memory(std::move(with.attached));
    if (!given.ok()) {
      out.text = "the file that came with the hello is not a process's /proc/PID/mem, open for reading and writing\n";
      return given.error();
    }
  }
  with.greeted = true;
  out.body.put(kProtocolVersion).put(static_cast<std::int32_t>(::getpid())).put(static_cast<std::uint32_t>(::geteuid()));
  out.body.text(with.runtime.name());
  return 0L;
}

}  // namespace ring3::control
