// The eventfds that stand for rings in clients' epoll sets, one for each ring. An epoll set knows an entry by (file, number), so
// MOD and DEL need the same descriptor of this process that ADD used: it is kept, until the ring's file is gone or the ring has another
// eventfd (one that was pinned, closed by all clients and opened again).
//
// That a file is gone the kernel tells (inotify); no open description is needed for that, which would keep the ring alive. Thread-safe.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "base/owned_fd.h"

namespace ring3::supervisor {

class WakeFiles {
 public:
  /// The descriptor to use for a ring. ring: a descriptor of its file, of this process; wake: the eventfd that it has now. What is there
  /// already stays, if it is the same eventfd.
  std::shared_ptr<const OwnedFd> use(int ring, OwnedFd wake);
  /// Of rings that are gone.
  void drop_ended() noexcept;
  std::size_t size() const;

 private:
  using Key = std::pair<dev_t, ino_t>;
  struct Entry {
    std::shared_ptr<const OwnedFd> wake;
    int watch = -1;  // none to be had: the entry stays
  };
  int watch(int ring) RING3_REQUIRES(mutex_);

  mutable Mutex mutex_;  // descriptors are closed after it is released
  OwnedFd inotify_ RING3_GUARDED_BY(mutex_);  // made when it is needed
  std::map<Key, Entry> files_ RING3_GUARDED_BY(mutex_);
  std::map<int, Key> by_watch_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::supervisor
