// Duplicates of clients' descriptors that were looked at a moment ago, so that the next look is one comparison (kcmp) instead of fetching the
// file, asking what it is, and closing it: a third of what is left of an intercepted call beside the notification and the copies.
//
// A duplicate keeps the client's open file alive, so a last close would not be seen. Therefore only the commands on single elements, which cannot
// tell whether another object has gone, use duplicates; every other command drops them first, before it asks who is gone (syscall/bpf.h). What
// nobody has used for a while is dropped by who looks at the clock anyway. Only files that turned out to be objects are held: of others, a
// client may wait for the close (a pipe's end).
//
// Thread-safe. Nothing is asked of a client under a mutex. Who drops has the files closed when the drop returns, those included that another
// thread is just dropping: else what was closed before a command would still count for it.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "syscall/client_files.h"

namespace ring3::supervisor {

class HeldFiles {
 public:
  /// What descriptor `fd` of thread `task` is, if it is the very file held for it; none: look yourself. That the thread
  /// still waits for this call is the caller's to find out.
  std::optional<syscall::FileIdentity> find(pid_t task, int fd);
  /// Holds `file`, which is descriptor `fd` of `task`; another may go for it.
  void keep(pid_t task, int fd, OwnedFd file, const syscall::FileIdentity& identity);
  /// All of them.
  void drop() noexcept;
  /// Those that have not been used since this was called last.
  void drop_idle() noexcept;

 private:
  struct Held {
    pid_t task;
    int fd;
    OwnedFd file;
    syscall::FileIdentity identity;
    std::atomic<bool> used{true};
  };
  static constexpr std::size_t kMost = 8;
  using Slots = std::array<std::shared_ptr<Held>, kMost>;
  std::shared_ptr<Held> held(pid_t task, int fd);

  std::atomic<bool> comparable_{true};  // kcmp has not been refused
  std::atomic<std::size_t> count_{0};   // written under the mutex
  Mutex drop_mutex_;                    // before mutex_, and while files are closed
  Mutex mutex_;                         // a leaf; files are closed after it is released
  Slots slots_ RING3_GUARDED_BY(mutex_);
  std::size_t next_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::supervisor
