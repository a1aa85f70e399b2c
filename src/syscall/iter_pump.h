// Iterators as descriptors: one end of a stream, filled as it is read.
//
// What fits into the stream is gathered when the descriptor is made, so a reader never waits for anybody where the whole
// output fits, and an error before the first byte is that of the command. Longer outputs go on as the reader takes them: one
// thread, started for the first of them, waits for room in all such streams. A reader that goes (close, exit, signal) ends
// its walk. An error in the middle ends the output; a line of the host's log says so.
//
// Differences from Linux, where the descriptor is the iterator: elements are looked at up to a stream's room before they are
// read, and errors come from ITER_CREATE.
//
// Locking: mutex_ guards the list; the pump's thread takes flows out of it while it serves them.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "iter/session.h"
#include "ring3/result.h"

namespace ring3::syscall {

class IterPump {
 public:
  IterPump() = default;
  /// Ends all walks and the thread.
  ~IterPump();
  IterPump(const IterPump&) = delete;
  IterPump& operator=(const IterPump&) = delete;

  /// The read end for a client. Errors: the session's, before anything was written; kMFile, kNFile; kAgain no thread.
  Result<OwnedFd> open(std::unique_ptr<iter::Session> session);
  /// Outputs that wait for their readers.
  std::size_t waiting() const;

 private:
  struct Flow {
    std::unique_ptr<iter::Session> session;
    OwnedFd out;
    std::vector<char> rest;  // gathered, not yet written
  };
  enum class Progress { kEnded, kWaits };

  static Result<Progress> advance(Flow& flow, bool fresh);
  Result<void> start() RING3_REQUIRES(mutex_);
  void run();
  bool wait_for_room(std::vector<Flow>& flows, int wake) const;

  mutable Mutex mutex_;
  std::vector<Flow> arrivals_ RING3_GUARDED_BY(mutex_);
  std::size_t served_ RING3_GUARDED_BY(mutex_) = 0;
  bool stop_ RING3_GUARDED_BY(mutex_) = false;
  OwnedFd wake_;  // eventfd; made with the thread
  std::thread thread_;
};

}  // namespace ring3::syscall
