// The eventfds that stand for rings in clients' epoll sets, one for each ring. An epoll set knows an entry by (file, number), so
// MOD and DEL need the same descriptor of this process that ADD used: it is kept. Thread-safe.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <utility>

#include "base/mutex.h"
#include "base/owned_fd.h"

namespace ring3::supervisor {

class WakeFiles {
 public:
  /// Of a client's file. None: not asked for yet; -1: known not to be a ring.
  std::optional<int> find(dev_t device, ino_t inode) {
    MutexLock lock(mutex_);
    const auto known = files_.find({device, inode});
    return known == files_.end() ? std::nullopt : std::optional<int>(known->second.get());
  }
  /// The descriptor to use: the one that is there already, if somebody was faster.
  int add(dev_t device, ino_t inode, OwnedFd file) {
    MutexLock lock(mutex_);
    return files_.try_emplace({device, inode}, std::move(file)).first->second.get();
  }

 private:
  Mutex mutex_;
  std::map<std::pair<dev_t, ino_t>, OwnedFd> files_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::supervisor
