#include "control/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <system_error>

#include "base/try.h"
#include "control/place.h"

namespace ring3::control {
namespace {

constexpr int kBacklog = 64;

Errno errno_now() { return static_cast<Errno>(errno); }

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Errno::kNameTooLong;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(RuntimeImpl& runtime, const ListenOptions& options) {
  std::unique_ptr<Server> server(new Server(runtime, options.policy));
  std::string path = options.path;
  StringSink why;
  if (path.empty()) {
    Result<void> made = make_socket_folder(socket_folder(), why);
    if (!made.ok()) {
      runtime.log(Severity::kError, "control socket: " + why.text());
      return made.error();
    }
    path = socket_path(runtime.name());
  }
  if (Result<void> bound = server->bind_socket(path); !bound.ok()) {
    runtime.log(Severity::kError, "control socket " + path + ": " + errno_name(bound.error()));
    return bound.error();
  }
  server->stop_ = OwnedFd(::eventfd(0, EFD_CLOEXEC));
  if (!server->stop_) return errno_now();
  server->doorbell_ = RING3_TRY(syscall::Doorbell::start(runtime.kernel().descriptors()));
  try {
    Server* const self = server.get();
    server->accepting_ = std::thread([self] { self->accept_loop(); });
  } catch (const std::system_error&) {
    return Errno::kAgain;
  }
  return server;
}

Result<void> Server::bind_socket(const std::string& path) {
  const sockaddr_un address = RING3_TRY(address_of(path));
  OwnedFd lock(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return errno_now();
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return Errno::kBusy;
  OwnedFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno_now();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_now();
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return errno_now();
  path_ = path;
  lock_ = std::move(lock);
  // Who is admitted is decided by what the kernel says about the peer; the file's mode only keeps the others away early.
  if (::chmod(path.c_str(), context_.policy != nullptr ? 0666 : 0600) != 0) return errno_now();
  if (::listen(socket.get(), kBacklog) != 0) return errno_now();
  socket_ = std::move(socket);
  return {};
}

Server::~Server() {
  if (accepting_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
    accepting_.join();
  }
  if (!path_.empty()) ::unlink(path_.c_str());
  socket_.reset();
  std::list<Connection> last;
  {
    MutexLock lock(mutex_);
    last.swap(connections_);
  }
  last.clear();
  doorbell_.reset();
  // The lock file goes last, while it is still locked, so nobody takes over a place that is being cleared.
  if (!path_.empty()) ::unlink((path_ + ".lock").c_str());
}

void Server::accept_loop() {
  for (;;) {
    pollfd on[2] = {{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}};
    if (::poll(on, 2, -1) < 0 && errno != EINTR) return;
    if (on[0].revents != 0) return;
    if (on[1].revents == 0) continue;
    OwnedFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) {
      // Out of descriptors: the client waits in the queue. Without a pause this thread would spin on it.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) ::poll(on, 1, 100);
      continue;
    }
    try {
      take(std::move(client));
    } catch (const std::bad_alloc&) {
      // The client sees its connection closed.
    }
  }
}

bool Server::room_for(uid_t uid) {
  if (connections_.size() >= kMaxConnections) return false;
  if (uid == 0 || uid == ::geteuid()) return true;
  const auto same = std::count_if(connections_.begin(), connections_.end(),
                                  [uid](const Connection& c) { return c.uid() == uid; });
  return static_cast<std::size_t>(same) < kMaxConnectionsPerUser;
}

void Server::take(OwnedFd socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return;
  MutexLock lock(mutex_);
  reap();
  if (!room_for(who.uid)) {
    context_.runtime.log(Severity::kWarning, "control socket: too many clients, one more is turned away");
    return;
  }
  Connection& connection = connections_.emplace_back(context_, std::move(socket), ++last_id_, who.uid);
  if (!connection.start().ok()) connections_.pop_back();
}

void Server::reap() {
  connections_.remove_if([](const Connection& c) { return c.ended(); });
}

std::size_t Server::connections() {
  MutexLock lock(mutex_);
  reap();
  return connections_.size();
}

}  // namespace ring3::control
