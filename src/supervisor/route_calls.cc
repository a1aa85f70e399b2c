// send(2) on a socket of rtnetlink: XDP programs at devices of the host are set and shown as the machine's kernel does for its own
// (IFLA_XDP). Every send without an address comes by here, because the filter does not see what a descriptor is; all others are left to
// the kernel at once. libbpf's bpf_xdp_attach() and bpf_xdp_query() are such clients, and with them bpftool net and xdp-loader.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "base/try.h"
#include "supervisor/calls.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

constexpr std::uint64_t kMostRequestBytes = 64u << 10;

/// The number of a socket of the caller's. By its path, as in epoll_call.cc.
std::optional<ino_t> socket_number(const Intercept& call, int fd) {
  char path[48];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", static_cast<int>(call.n.task), fd);
  struct statx st;
  if (fd < 0 || ::statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) != 0 || !S_ISSOCK(st.stx_mode)) return std::nullopt;
  return st.stx_ino;
}

/// What is sent, if it may concern us; none: it is the kernel's.
std::optional<Bytes> read_request(const Intercept& call) {
  const std::uint64_t size = call.n.args[2];
  if (size == 0 || size > kMostRequestBytes) return std::nullopt;
  Bytes out(size);
  if (!NotifiedMemory(call.listener, call.n).read(call.n.args[1], out).ok()) return std::nullopt;
  return out;
}

const syscall::DeviceProgram* find_device(std::span<const syscall::DeviceProgram> devices, std::uint32_t device) {
  const auto at = std::find_if(devices.begin(), devices.end(), [device](const auto& each) { return each.device == device; });
  return at == devices.end() ? nullptr : &*at;
}

/// How the host answers; none: the machine's kernel does, and nothing differs.
Result<std::optional<std::vector<Bytes>>> answer_of(Intercept& call, const RouteSocket& socket, const Bytes& request, const RouteHeader& header) {
  const std::optional<syscall::DeviceRequest> wish = device_request(request);
  if (!wish && !header.lists_devices()) return std::optional<std::vector<Bytes>>();
  const std::vector<syscall::DeviceProgram> devices = RING3_TRY(call.door.device_programs(call.caller));
  if (wish) {
    if (find_device(devices, wish->device) == nullptr) return std::optional<std::vector<Bytes>>();
    const BpfOutcome set = call.door.set_device_program(call.listener, call.n, call.caller, *wish);
    if (set.result < 0) call.report.count_refused("IFLA_XDP", set.text);
    std::vector<Bytes> out;
    if (set.result < 0 || header.wants_acknowledgement())
      out.push_back(acknowledge(request, socket.port(), static_cast<int>(set.result), set.text.substr(0, set.text.find('\n'))));
    return std::optional(std::move(out));
  }
  if (std::all_of(devices.begin(), devices.end(), [](const auto& each) { return each.program == 0; })) return std::optional<std::vector<Bytes>>();
  std::vector<Bytes> out = RING3_TRY(socket.ask(request, header));
  for (Bytes& datagram : out) datagram = with_programs(datagram, devices);
  return std::optional(std::move(out));
}

/// Puts a socket whose other end is here in the place of the client's.
Result<void> take_place(Intercept& call, int fd, const std::shared_ptr<RouteSocket>& socket) {
  const OwnedFd theirs = RING3_TRY(socket->open_pair());
  struct stat st;
  if (::fstat(theirs.get(), &st) != 0) return Errno::kMFile;
  RING3_TRY(call.listener.replace_file(call.n, theirs.get(), fd));
  call.route_sockets.add(st.st_ino, socket);
  return {};
}

/// The number means the kernel's socket again. Errors: kAgain answers are waiting to be read.
Result<void> give_back(Intercept& call, int fd, const RouteSocket& socket) {
  if (socket.has_unread()) return Errno::kAgain;
  return call.listener.replace_file(call.n, socket.kernels(), fd);
}

Result<Answer> answer_route(Intercept& call, int fd, ino_t number) {
  std::shared_ptr<RouteSocket> socket = call.route_sockets.find(number);
  const bool is_ours = socket != nullptr;
  if (!is_ours) {
    Result<OwnedFd> file = call.caller.task.file(fd);
    if (!file.ok() || !RouteSocket::is_one(file->get())) return Answer();
    socket = std::make_shared<RouteSocket>(std::move(*file));
  }
  const std::optional<Bytes> request = read_request(call);
  const std::optional<RouteHeader> header = request ? route_header(*request) : std::nullopt;
  std::optional<std::vector<Bytes>> answer;
  if (header) answer = RING3_TRY(answer_of(call, *socket, *request, *header));
  if (!answer) {
    if (is_ours) RING3_TRY(give_back(call, fd, *socket));
    return Answer();
  }
  if (!is_ours) RING3_TRY(take_place(call, fd, socket));
  RING3_TRY(socket->give(*answer));
  return Answer(static_cast<long>(request->size()));
}

}  // namespace

Answer answer_send(Intercept& call) {
  const int fd = call.n.int_arg(0);
  const std::optional<ino_t> number = socket_number(call, fd);
  if (!number) return std::nullopt;
  const Result<Answer> answer = answer_route(call, fd, *number);
  return answer.ok() ? *answer : Answer(to_syscall(answer.error()));
}

}  // namespace ring3::supervisor
