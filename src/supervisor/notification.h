// The listener of a seccomp filter: calls of the processes under it arrive here and wait for an answer.
//
// A caller that is killed takes its notification with it: every operation then answers kNoEnt, and that is no error of
// the supervisor's. With kWaitKillable (install_filter tells) a signal does not end a wait that has begun; without it
// (Linux before 5.19) the kernel restarts the call, and its effects happen twice.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::supervisor {

/// One call that waits. Arguments are what the registers held: upper halves of ints are noise.
struct Notification {
  std::uint64_t id = 0;
  pid_t task = 0;  // the thread, as this process's /proc numbers it
  int number = 0;  // of the system call
  std::array<std::uint64_t, 6> args{};

  int int_arg(std::size_t i) const { return static_cast<int>(args[i]); }
  std::uint32_t u32_arg(std::size_t i) const { return static_cast<std::uint32_t>(args[i]); }
};

class Listener {
 public:
  explicit Listener(OwnedFd listener);

  /// Blocks until there is one. Errors: kNoEnt the caller is gone again, or nobody is under the filter any more; kIntr.
  Result<Notification> receive() const;
  /// The caller still waits, so its pid still means it.
  bool waits(const Notification& n) const;
  /// result: what the call returns, or a negated errno.
  void answer(const Notification& n, long result) const;
  /// The kernel carries the call out as if nobody had listened.
  void let_through(const Notification& n) const;
  /// Puts a file into the caller's table, close-on-exec; its number there. Errors: kMFile, kNoEnt.
  Result<int> give_file(const Notification& n, int file) const;

  /// The number in the caller's table means a file that is nothing from now on; only the caller itself can free it.
  /// Errors: kMFile, kNoEnt.
  Result<void> take_file_away(const Notification& n, int number) const;

  /// Puts a file in the place of what a number in the caller's table means, close-on-exec. Errors: kMFile, kNoEnt.
  Result<void> replace_file(const Notification& n, int file, int number) const;

  /// Readable: a notification waits. Hung up: no process is left under the filter.
  int fd() const { return listener_.get(); }

 private:
  Result<int> add_file(const Notification& n, int file, int number) const;
  OwnedFd listener_;
};

}  // namespace ring3::supervisor
