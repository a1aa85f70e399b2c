// Serves a Cache over TCP on the loopback interface: one thread, one epoll instance.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache.h"
#include "resp.h"

namespace cached {

class Server {
 public:
  explicit Server(Cache& cache) : cache_(cache) {}
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Port 0 takes a free one. Empty: ready, port() says where; else what went wrong.
  std::string open(std::uint16_t port);
  std::uint16_t port() const { return port_; }

  /// Serves until stop_fd (a signalfd, an eventfd …) becomes readable.
  void run(int stop_fd);

 private:
  struct Connection {
    int fd = -1;
    std::uint32_t watched = 0;  // epoll events
    bool closing = false;       // once everything is sent
    std::string out;
    RequestParser parser;
  };

  void accept_all();
  /// False: the connection is over.
  bool read_requests(Connection& connection);
  void answer(Connection& connection);
  bool flush(Connection& connection);
  void watch(Connection& connection);
  void drop(int fd);

  Cache& cache_;
  int epoll_ = -1;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::vector<std::string_view> args_;
};

}  // namespace cached
