#include "control/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/try.h"
#include "control/packet.h"
#include "control/place.h"
#include "control/wire.h"

namespace ring3::control {
namespace {

thread_local std::string last_text;

std::string_view words(Errno error) {
  switch (error) {
    case Errno::kNoEnt: return "there is no such host";
    case Errno::kConnRefused: return "nobody listens there any more";
    case Errno::kAcces:
    case Errno::kPerm: return "access is denied";
    default: return errno_name(error);
  }
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(std::string_view host, std::string& why,
                                                std::unique_ptr<Principal> speaks_for) {
  const std::string path = socket_path(host);
  const auto fail = [&](Errno error) {
    why = "host '" + std::string(host) + "' (" + path + "): " + std::string(words(error));
    return error;
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail(Errno::kNameTooLong);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  OwnedFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(static_cast<Errno>(errno));
  if (speaks_for == nullptr) speaks_for = std::make_unique<OwnProcess>();
  std::unique_ptr<Client> client(new Client(std::move(socket), ::getpid(), std::move(speaks_for)));
  client->host_.path = path;
  std::string text;
  if (Result<void> greeted = client->hello(text); !greeted.ok()) {
    (void)fail(greeted.error());
    while (text.ends_with('\n')) text.pop_back();
    if (!text.empty()) why += " (" + text + ")";
    return greeted.error();
  }
  return client;
}

Client::~Client() = default;

void Client::hang_up() { ::shutdown(socket_.get(), SHUT_RDWR); }

std::string Client::text() const { return last_text; }

Errno Client::lost() {
  connected_.store(false, std::memory_order_relaxed);
  last_text = "the host is gone\n";
  return Errno::kConnRefused;
}

Result<void> Client::hello(std::string& why) {
  const OwnedFd mem = principal_->memory();
  WireWriter body;
  body.put(kProtocolMagic).put(kProtocolVersion);
  MutexLock lock(mutex_);
  Result<Reply> reply = transact(MessageType::kHello, body.bytes(), mem.get());
  why = last_text;
  if (!reply.ok()) return reply.error();
  WireReader in(reply->body);
  const auto version = in.get<std::uint32_t>();
  host_.pid = in.get<std::int32_t>();
  host_.uid = in.get<std::uint32_t>();
  host_.name = in.text();
  if (!in.finished() || version != kProtocolVersion) return Errno::kProto;
  return {};
}

Result<Client::Reply> Client::request(MessageType type, std::span<const std::byte> body) {
  MutexLock lock(mutex_);
  return transact(type, body, -1);
}

Result<Client::Reply> Client::transact(MessageType type, std::span<const std::byte> body, int file) {
  last_text.clear();
  if (!connected() || ::getpid() != owner_) return lost();
  const std::uint32_t serial = ++serial_;
  WireWriter request(type, serial);
  request.raw(body);
  if (Result<void> sent = send_packet(socket_.get(), request.bytes(), file); !sent.ok())
    return sent.error() == Errno::kTooBig ? Errno::kTooBig : lost();
  Reply reply;
  for (;;) {
    Result<Packet> packet = receive_packet(socket_.get());
    if (!packet.ok()) return lost();
    WireReader in(packet->bytes);
    const auto header = in.get<Header>();
    if (!in.ok() || packet->cut || header.serial != serial) return lost();
    if (header.type == MessageType::kReply) {
      reply.result = static_cast<long>(in.get<std::int64_t>());
      last_text = in.text();
      const auto rest = in.rest();
      if (!in.finished()) return lost();
      reply.body.insert(reply.body.end(), rest.begin(), rest.end());
      reply.file = std::move(packet->file);
      if (reply.result < 0) return static_cast<Errno>(-reply.result);
      return reply;
    }
    if (header.type == MessageType::kPiece) {
      const auto rest = in.rest();
      if (reply.body.size() + rest.size() > kMaxReplyBytes) return lost();
      reply.body.insert(reply.body.end(), rest.begin(), rest.end());
      continue;
    }
    RING3_TRY(answer(header.type, serial, in.rest(), std::move(packet->file)));
  }
}

/// What the host asks back. Descriptors are sent as they are; the host only looks at which file they are.
Result<void> Client::answer(MessageType question, std::uint32_t serial, std::span<const std::byte> body, OwnedFd file) {
  WireReader in(body);
  WireWriter out(MessageType::kAnswer, serial);
  std::int64_t value = 0;
  OwnedFd sent;
  switch (question) {
    case MessageType::kWantFile: {
      Result<OwnedFd> shown = principal_->file(in.get<std::int32_t>());
      if (shown.ok()) sent = std::move(*shown);
      else value = -EBADF;
      break;
    }
    case MessageType::kTakeFile: {
      const Result<int> taken = file ? principal_->take(std::move(file)) : Result<int>(Errno::kMFile);
      value = taken.ok() ? *taken : -EMFILE;
      break;
    }
    case MessageType::kCloseFile: {
      const Result<void> closed = principal_->close(in.get<std::int32_t>());
      value = closed.ok() ? 0 : -EBADF;
      break;
    }
    case MessageType::kWantUmask: value = static_cast<std::int64_t>(principal_->umask()); break;
    default: return lost();
  }
  out.put(value);
  if (!send_packet(socket_.get(), out.bytes(), sent.get()).ok()) return lost();
  return {};
}

long Client::bpf(int cmd, void* attr, std::uint32_t size, const void* common_attrs, std::uint32_t common_size) {
  WireWriter body;
  body.put(std::int32_t{cmd}).put(size).put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(attr)));
  body.put(static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(common_attrs))).put(common_size);
  const Result<Reply> reply = request(MessageType::kBpf, body.bytes());
  return reply.ok() ? reply->result : to_syscall(reply.error());
}

Result<OwnedFd> Client::host_btf() {
  Reply reply = RING3_TRY(request(MessageType::kHostBtf, {}));
  if (!reply.file) return Errno::kMFile;
  return std::move(reply.file);
}

Result<OwnedFd> Client::wake_file(int fd) {
  WireWriter body;
  body.put(std::int32_t{fd});
  Reply reply = RING3_TRY(request(MessageType::kWakeFile, body.bytes()));
  if (!reply.file) return Errno::kMFile;
  return std::move(reply.file);
}

Result<OwnedFd> Client::event_file() {
  Reply reply = RING3_TRY(request(MessageType::kEventFile, {}));
  if (!reply.file) return Errno::kMFile;
  return std::move(reply.file);
}

Result<void> Client::event_pages(int fd, std::uint32_t pages) {
  WireWriter body;
  body.put(std::int32_t{fd}).put(pages);
  RING3_TRY(request(MessageType::kEventPages, body.bytes()));
  return {};
}

Result<std::uint32_t> Client::host_cpus() {
  const Reply reply = RING3_TRY(request(MessageType::kHostCpus, {}));
  return static_cast<std::uint32_t>(reply.result);
}

Result<std::string> Client::fd_info(int fd) {
  WireWriter body;
  body.put(std::int32_t{fd});
  const Reply reply = RING3_TRY(request(MessageType::kFdInfo, body.bytes()));
  WireReader in(reply.body);
  std::string text = in.text();
  if (!in.finished()) return Errno::kProto;
  return text;
}

Result<std::vector<syscall::DeviceProgram>> Client::device_programs() {
  const Reply reply = RING3_TRY(request(MessageType::kDevicePrograms, {}));
  WireReader in(reply.body);
  std::vector<syscall::DeviceProgram> out;
  for (long i = 0; i < reply.result && in.ok(); ++i) {
    syscall::DeviceProgram& each = out.emplace_back();
    each.device = in.get<std::uint32_t>();
    each.program = in.get<std::uint32_t>();
  }
  if (!in.finished()) return lost();
  return out;
}

Result<void> Client::set_device_program(const syscall::DeviceRequest& request_of) {
  WireWriter body;
  body.put(request_of.device).put(request_of.program).put(request_of.flags).put(request_of.expected);
  RING3_TRY(request(MessageType::kSetDeviceProgram, body.bytes()));
  return {};
}

Result<void> Client::begin() {
  RING3_TRY(request(MessageType::kBegin, {}));
  return {};
}

Result<void> Client::abort() {
  RING3_TRY(request(MessageType::kAbort, {}));
  return {};
}

Result<std::vector<HostLogLine>> Client::log(std::uint64_t from, bool wait) {
  WireWriter body;
  body.put(from).put(std::uint32_t{wait ? 1u : 0u});
  const Reply reply = RING3_TRY(request(MessageType::kLog, body.bytes()));
  WireReader in(reply.body);
  std::vector<HostLogLine> lines;
  for (long i = 0; i < reply.result && in.ok(); ++i) {
    HostLogLine line;
    line.position = in.get<std::uint64_t>();
    line.time_ns = in.get<std::uint64_t>();
    line.severity = static_cast<Severity>(in.get<std::uint32_t>());
    line.module = in.text();
    line.text = in.text();
    lines.push_back(std::move(line));
  }
  if (!in.finished()) return lost();
  return lines;
}

}  // namespace ring3::control
