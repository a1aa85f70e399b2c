#include "control/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

#include "base/try.h"
#include "control/strange_file.h"

namespace ring3::control {
namespace {

Result<Capabilities> admit(const ServerContext& context, const syscall::Credentials& who) {
  if (context.policy != nullptr) return context.policy->admit({who.uid, who.gid, who.pid});
  if (who.uid == 0 || who.uid == ::geteuid()) return Capabilities::all();
  return Errno::kAcces;
}

/// What the runtime says during a request goes to the client as well.
class Explain final : public TextSink {
 public:
  explicit Explain(PeerCaller& caller) : caller_(caller) {}
  void write(std::string_view text) override { caller_.explain(text); }

 private:
  PeerCaller& caller_;
};

bool may(const model::Rights& rights, Need need) {
  switch (need) {
    case Need::kGreeting:
    case Need::kNothing: return true;
    case Need::kBpf: return rights.has_bpf();
    case Need::kAdmin: return rights.sys_admin;
  }
  return false;
}

}  // namespace

Connection::~Connection() {
  ::shutdown(socket_.get(), SHUT_RDWR);
  if (thread_.joinable()) thread_.join();
  close_connection(std::move(socket_));
}

Result<void> Connection::start() {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    return Errno::kAgain;
  }
  return {};
}

void Connection::run() {
  try {
    Result<syscall::Credentials> who = peer_credentials(socket_.get());
    if (who.ok()) {
      Result<Capabilities> admitted = admit(context_, *who);
      if (admitted.ok()) {
        converse(*who, *admitted);
      } else {
        turn_away(admitted.error());
      }
    }
  } catch (const std::bad_alloc&) {
    // The client loses its connection, and with it whatever it had begun.
  }
  ::shutdown(socket_.get(), SHUT_RDWR);
  ended_.store(true, std::memory_order_release);
}

/// The reply to the first request, whatever it is.
void Connection::turn_away(Errno why) {
  Result<Packet> packet = receive_packet(socket_.get(), true);
  if (!packet.ok()) return;
  Channel channel(socket_.get());
  channel.start_request(WireReader(packet->bytes).get<Header>().serial);
  Response refusal;
  refusal.result = to_syscall(why);
  refusal.text = "the host's policy does not admit this user\n";
  reply(channel, refusal);
}

void Connection::converse(const syscall::Credentials& who, Capabilities capabilities) {
  Channel channel(socket_.get());
  PeerCaller caller(who, capabilities, channel);
  Conversation with{context_.runtime, caller, channel, socket_.get(), id_};
  // Also when memory runs out between two requests: what hangs on this connection must not stay.
  struct End {
    const Connection& connection;
    PeerCaller& caller;
    ~End() {
      caller.load().reset();
      connection.context_.runtime.modules().session_ended(connection.id_);
    }
  } const end{*this, caller};
  while (!channel.broken()) {
    Result<Packet> packet = receive_packet(socket_.get(), true);
    if (!packet.ok()) break;
    Response out;
    try {
      answer_one(with, *packet, out);
    } catch (const std::bad_alloc&) {
      out = Response{};
      out.result = to_syscall(Errno::kNoMem);
    }
    reply(channel, out);
  }
}

void Connection::answer_one(Conversation& with, Packet& packet, Response& out) {
  WireReader in(packet.bytes);
  const auto header = in.get<Header>();
  with.channel.start_request(header.serial);
  const auto fail = [&](Errno error, const char* text) {
    out.result = to_syscall(error);
    out.text = text;
  };
  if (!in.ok()) return fail(Errno::kInval, "the packet is too short for a header\n");
  if (packet.cut) return fail(Errno::kTooBig, "the packet is too long\n");
  const RequestRow* row = find_request(header.type);
  if (row == nullptr) return fail(Errno::kOpNotSupp, "this host does not know that request\n");
  if (with.greeted == (row->need == Need::kGreeting))
    return fail(Errno::kProto, with.greeted ? "one hello is enough\n" : "the first request is a hello\n");
  if (!may(with.caller.rights(), row->need))
    return fail(Errno::kPerm, "the host's policy does not allow that to this user\n");
  with.attached = std::move(packet.file);
  with.caller.begin();
  Explain explain(with.caller);
  const LogWitness witness(explain);
  const Result<long> answered = row->handler(with, in, out);
  with.attached.reset();
  out.result = answered.ok() ? answered.value() : to_syscall(answered.error());
}

void Connection::reply(Channel& channel, Response& response) {
  std::span<const std::byte> body = response.body.bytes();
  while (body.size() > kPieceBytes) {
    WireWriter piece = channel.message(MessageType::kPiece);
    piece.raw(body.first(kPieceBytes));
    if (!channel.send(piece).ok()) return;
    body = body.subspan(kPieceBytes);
  }
  response.text.resize(std::min(response.text.size(), kMaxTextBytes));
  WireWriter last = channel.message(MessageType::kReply);
  last.put(static_cast<std::int64_t>(response.result)).text(response.text).raw(body);
  (void)channel.send(last, response.file.get()).ok();
}

}  // namespace ring3::control
