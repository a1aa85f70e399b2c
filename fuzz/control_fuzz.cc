// Any packets on the control socket: the host answers or cuts the client off, and keeps nothing of it.
//
// Input: for each packet a u16 length and so many bytes. The first byte says whether a proper hello comes first.
// No memory is handed over, so a BPF request that copies ends with EFAULT; the attributes have a target of their
// own (attr_fuzz.cc).
#include <sys/socket.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "base/text_sink.h"
#include "btf/builder.h"
#include "control/connection.h"
#include "control/module_wire.h"
#include "control/wire.h"
#include "object/rcu.h"
#include "runtime/runtime_impl.h"

namespace {

using namespace ring3;

RuntimeImpl& host() {
  static const std::unique_ptr<RuntimeImpl> runtime = [] {
    btf::Builder builder;
    builder.add_int("int", 4, 1);
    static const std::vector<std::byte> blob = builder.finish();
    RuntimeOptions options;
    options.name = "fuzzed";
    options.btf = {blob.data(), blob.size()};
    return std::move(RuntimeImpl::create(options)).value();
  }();
  return *runtime;
}

/// Reads what the host has said so far; its socket must not fill up.
void drain(int socket) {
  char reply[control::kMaxPacketBytes];
  while (::recv(socket, reply, sizeof reply, MSG_DONTWAIT) > 0) continue;
}

void converse(std::span<const std::byte> input, bool hello) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  const OwnedFd mine(ends[0]);
  control::ServerContext context{host(), nullptr};
  control::Connection connection(context, OwnedFd(ends[1]), 1, 0);
  if (!connection.start().ok()) return;
  if (hello) {
    control::WireWriter words(control::MessageType::kHello, 0);
    words.put(control::kProtocolMagic).put(control::kProtocolVersion);
    (void)control::send_packet(mine.get(), words.bytes()).ok();
  }
  while (input.size() >= 2) {
    std::uint16_t length;
    std::memcpy(&length, input.data(), sizeof length);
    input = input.subspan(2);
    const auto packet = input.first(std::min<std::size_t>(length, input.size()));
    input = input.subspan(packet.size());
    (void)::send(mine.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    drain(mine.get());
  }
  // Nothing more comes: the host answers what it has and leaves. Its last words would block it, so they are read.
  ::shutdown(mine.get(), SHUT_WR);
  while (!connection.ended()) drain(mine.get());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  const std::size_t before = host().objects().live_count();
  converse(bytes.subspan(1), (data[0] & 1) != 0);
  rcu::drain();
  host().modules().remove_all();
  if (host().objects().live_count() != before) std::abort();
  // The client's side of a listing.
  control::WireReader in(bytes.subspan(1));
  (void)control::get_module(in);
  return 0;
}
