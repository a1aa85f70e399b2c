#include "supervisor/route_sockets.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/try.h"

namespace ring3::supervisor {
namespace {

constexpr int kPatienceMs = 1000;
constexpr std::size_t kMostBytes = 16u << 20;

int socket_option(int socket, int option) {
  int value = -1;
  socklen_t bytes = sizeof value;
  return ::getsockopt(socket, SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
}

/// The next datagram. Errors: kAgain none came.
Result<Bytes> receive(int socket) {
  pollfd on{socket, POLLIN, 0};
  const int ready = ::poll(&on, 1, kPatienceMs);
  if (ready <= 0) return Errno::kAgain;
  std::byte nothing;
  const ssize_t length = ::recv(socket, &nothing, sizeof nothing, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
  if (length < 0) return static_cast<Errno>(errno);
  Bytes out(static_cast<std::size_t>(length));
  const ssize_t got = ::recv(socket, out.data(), out.size(), MSG_DONTWAIT);
  if (got < 0) return static_cast<Errno>(errno);
  out.resize(static_cast<std::size_t>(got));
  return out;
}

}  // namespace

bool RouteSocket::is_one(int socket) {
  return socket_option(socket, SO_DOMAIN) == AF_NETLINK && socket_option(socket, SO_PROTOCOL) == NETLINK_ROUTE;
}

std::uint32_t RouteSocket::port() const {
  sockaddr_nl address{};
  socklen_t bytes = sizeof address;
  if (::getsockname(kernels_.get(), reinterpret_cast<sockaddr*>(&address), &bytes) != 0) return 0;
  return address.nl_pid;
}

Result<std::vector<Bytes>> RouteSocket::ask(std::span<const std::byte> request, const RouteHeader& header) const {
  if (!header.asks()) return Errno::kInval;
  if (::send(kernels_.get(), request.data(), request.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return static_cast<Errno>(errno);
  std::vector<Bytes> out;
  std::size_t bytes = 0;
  do {
    out.push_back(RING3_TRY(receive(kernels_.get())));
    bytes += out.back().size();
    if (bytes > kMostBytes) return Errno::kNoMem;
  } while (!is_last(out.back(), header));
  return out;
}

Result<OwnedFd> RouteSocket::open_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return Errno::kMFile;
  ours_ = OwnedFd(ends[0]);
  OwnedFd theirs(ends[1]);
  const int status = ::fcntl(kernels_.get(), F_GETFL);
  if (status >= 0 && (status & O_NONBLOCK) != 0) ::fcntl(theirs.get(), F_SETFL, O_NONBLOCK);
  const int room = static_cast<int>(kMostBytes);  // the machine gives what it allows
  ::setsockopt(ours_.get(), SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  return theirs;
}

Result<void> RouteSocket::give(std::span<const Bytes> datagrams) const {
  for (const Bytes& each : datagrams)
    if (::send(ours_.get(), each.data(), each.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return Errno::kNoMem;
  return {};
}

bool RouteSocket::has_unread() const {
  int bytes = 0;
  return ::ioctl(ours_.get(), SIOCOUTQ, &bytes) == 0 && bytes > 0;
}

bool RouteSocket::ended() const {
  pollfd on{ours_.get(), 0, 0};
  return ::poll(&on, 1, 0) > 0 && (on.revents & (POLLHUP | POLLERR)) != 0;
}

std::shared_ptr<RouteSocket> RouteSockets::find(ino_t number) const {
  MutexLock lock(mutex_);
  const auto at = std::find_if(entries_.begin(), entries_.end(), [number](const Entry& entry) { return entry.number == number; });
  return at == entries_.end() ? nullptr : at->socket;
}

void RouteSockets::add(ino_t number, std::shared_ptr<RouteSocket> socket) {
  MutexLock lock(mutex_);
  entries_.push_back({number, std::move(socket)});
}

void RouteSockets::drop_ended() noexcept {
  std::vector<Entry> ended;  // before the lock, so closed after it
  MutexLock lock(mutex_);
  for (Entry& entry : entries_)
    if (entry.socket->ended()) ended.push_back(std::move(entry));
  std::erase_if(entries_, [](const Entry& entry) { return entry.socket == nullptr; });
}

}  // namespace ring3::supervisor
