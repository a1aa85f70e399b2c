#include "server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "commands.h"

namespace cached {
namespace {

// A client that sends and does not read is not read from until it takes its replies.
constexpr std::size_t kMaxPendingBytes = 4 << 20;

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Server::~Server() {
  for (auto& [fd, connection] : connections_) close(fd);
  if (listener_ >= 0) close(listener_);
  if (epoll_ >= 0) close(epoll_);
}

std::string Server::open(std::uint16_t port) {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return problem("epoll");
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return problem("socket");
  const int one = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener_, 128) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return problem(("port " + std::to_string(port)).c_str());
  port_ = ntohs(address.sin_port);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener_;
  return epoll_ctl(epoll_, EPOLL_CTL_ADD, listener_, &event) == 0 ? "" : problem("epoll");
}

void Server::run(int stop_fd) {
  epoll_event stop{};
  stop.events = EPOLLIN;
  stop.data.fd = stop_fd;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, stop_fd, &stop) != 0) return;
  for (;;) {
    epoll_event events[64];
    const int count = epoll_wait(epoll_, events, 64, -1);
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop_fd) return;
      if (fd == listener_) {
        accept_all();
        continue;
      }
      auto it = connections_.find(fd);
      if (it == connections_.end()) continue;
      Connection& connection = *it->second;
      const bool readable = (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
      if ((readable && !connection.closing && !read_requests(connection)) || !flush(connection))
        drop(fd);
      else
        watch(connection);
    }
  }
}

void Server::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto connection = std::make_unique<Connection>();
    connection->fd = fd;
    connection->watched = EPOLLIN;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0)
      close(fd);
    else
      connections_.emplace(fd, std::move(connection));
  }
}

bool Server::read_requests(Connection& connection) {
  char chunk[64 << 10];
  const ssize_t n = recv(connection.fd, chunk, sizeof chunk, 0);
  if (n <= 0) return n < 0 && would_block();
  connection.parser.feed({chunk, static_cast<std::size_t>(n)});
  answer(connection);
  return true;
}

void Server::answer(Connection& connection) {
  while (!connection.closing && connection.out.size() < kMaxPendingBytes) {
    switch (connection.parser.next(args_)) {
      case RequestParser::Status::kNeedMore: return;
      case RequestParser::Status::kRequest:
        connection.closing = !execute(cache_, args_, connection.out);
        break;
      case RequestParser::Status::kBroken:
        reply_error(connection.out, "Protocol error");
        connection.closing = true;
        break;
    }
  }
}

bool Server::flush(Connection& connection) {
  for (;;) {
    std::size_t sent = 0;
    while (sent < connection.out.size()) {
      const ssize_t n = send(connection.fd, connection.out.data() + sent, connection.out.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && would_block()) break;
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    connection.out.erase(0, sent);
    if (!connection.out.empty()) return true;
    if (connection.closing) return false;
    answer(connection);  // requests that waited for room
    if (connection.out.empty()) return true;
  }
}

void Server::watch(Connection& connection) {
  const std::uint32_t wanted = connection.out.empty() ? EPOLLIN : EPOLLOUT;
  if (wanted == connection.watched) return;
  connection.watched = wanted;
  epoll_event event{};
  event.events = wanted;
  event.data.fd = connection.fd;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

void Server::drop(int fd) {
  connections_.erase(fd);
  close(fd);
}

}  // namespace cached
