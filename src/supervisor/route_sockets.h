// Clients' sockets of rtnetlink that are answered here. Nobody but the kernel can put a message into such a socket, so an answer that differs
// from the machine's comes by another one, which takes its number in the client: a socket pair whose other end is here. With the next
// request that is the machine's the number means the kernel's socket again.
//
// Nothing but lists of devices is asked for the client: the kernel looks at the rights of who sends, and those here may be others.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "ring3/result.h"
#include "supervisor/route_messages.h"

namespace ring3::supervisor {

class RouteSocket {
 public:
  /// The kernel's, which the client opened.
  explicit RouteSocket(OwnedFd kernels) : kernels_(std::move(kernels)) {}

  /// A duplicate of a socket of the client's is one of rtnetlink.
  static bool is_one(int socket);
  std::uint32_t port() const;
  int kernels() const { return kernels_.get(); }
  /// What the kernel answers to a request that asks, each datagram by itself. Waits a second for each at most.
  /// Errors: kInval it would change something; those of send(2); kAgain no answer, kNoMem more than 16 MiB.
  Result<std::vector<Bytes>> ask(std::span<const std::byte> request, const RouteHeader& header) const;
  /// Makes the pair; the end for the client. Errors: kMFile.
  Result<OwnedFd> open_pair();
  /// Errors: kNoMem the client reads too slowly, or has closed its end.
  Result<void> give(std::span<const Bytes> datagrams) const;
  /// The client has not yet read all that it was given.
  bool has_unread() const;
  /// The client has closed its end.
  bool ended() const;

 private:
  const OwnedFd kernels_;
  OwnedFd ours_;
};

/// Those of all clients. Thread-safe; a socket is used by one call at a time.
class RouteSockets {
 public:
  /// By the number of the client's end. Null: none.
  std::shared_ptr<RouteSocket> find(ino_t number) const;
  void add(ino_t number, std::shared_ptr<RouteSocket> socket);
  /// Of clients that have closed theirs.
  void drop_ended() noexcept;

 private:
  struct Entry {
    ino_t number;
    std::shared_ptr<RouteSocket> socket;
  };
  mutable Mutex mutex_;  // sockets are closed after it is released
  std::vector<Entry> entries_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::supervisor
