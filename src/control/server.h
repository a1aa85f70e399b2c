// The control socket of one runtime: a thread that accepts, a thread for each client (connection.h), and the
// doorbell thread that notices closed descriptors while nobody asks anything.
//
// A socket file whose host died without removing it is taken over: the file beside it, NAME.sock.lock, is
// locked by a living host and by nobody else.
//
// Limits: at most kMaxConnections clients, kMaxConnectionsPerUser of one user who is not the host's own; more
// are closed.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "control/connection.h"
#include "runtime/runtime_impl.h"
#include "syscall/doorbell.h"

namespace ring3::control {

class Server final : public RuntimeService {
 public:
  static constexpr std::size_t kMaxConnections = 256;
  static constexpr std::size_t kMaxConnectionsPerUser = 32;

  /// Errors: as Runtime::listen.
  static Result<std::unique_ptr<Server>> start(RuntimeImpl& runtime, const ListenOptions& options);
  /// Removes the socket, cuts every client off and waits for what they are in the middle of.
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& path() const { return path_; }
  /// Clients at this moment; those that have just gone may still be counted.
  std::size_t connections();

 private:
  Server(RuntimeImpl& runtime, ControlPolicy* policy) : context_{runtime, policy} {}
  Result<void> bind_socket(const std::string& path);
  void accept_loop();
  void take(OwnedFd socket);
  void reap() RING3_REQUIRES(mutex_);
  bool room_for(uid_t uid) RING3_REQUIRES(mutex_);

  ServerContext context_;
  std::string path_;
  OwnedFd lock_;
  OwnedFd socket_;
  OwnedFd stop_;
  std::unique_ptr<syscall::Doorbell> doorbell_;
  std::thread accepting_;
  Mutex mutex_;
  std::list<Connection> connections_ RING3_GUARDED_BY(mutex_);
  std::uint64_t last_id_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::control
