// One client: a thread that answers its requests, one after the other, until it goes. Whatever the client made
// and did not make permanent ends with it: its open load is rolled back and its session modules are removed.
//
// A client that sends what is not the protocol gets an errno and words, and may go on; one that breaks the
// order of question and answer is cut off. Other clients never notice: nothing is shared but the kernel.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/owned_fd.h"
#include "control/requests.h"
#include "ring3/control.h"

namespace ring3::control {

/// What the connections of one server share; outlives them.
struct ServerContext {
  RuntimeImpl& runtime;
  ControlPolicy* policy;  // null: the host's user and root
};

class Connection {
 public:
  Connection(ServerContext& context, OwnedFd socket, std::uint64_t id, uid_t uid)
      : context_(context), socket_(std::move(socket)), id_(id), uid_(uid) {}
  /// Stops and joins.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Errors: kAgain no thread to be had.
  Result<void> start();
  /// The thread is at its end: destruction does not wait.
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  uid_t uid() const { return uid_; }

 private:
  void run();
  void turn_away(Errno why);
  /// Answers packets until the client goes.
  void converse(const syscall::Credentials& who, Capabilities may);
  static void answer_one(Conversation& with, Packet& packet, Response& out);
  static void reply(Channel& channel, Response& response);

  ServerContext& context_;
  OwnedFd socket_;
  const std::uint64_t id_;
  const uid_t uid_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

}  // namespace ring3::control
