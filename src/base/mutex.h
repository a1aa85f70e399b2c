// A mutex the compiler can reason about. Lock order is written down in object/locks.h.
#pragma once

#include <mutex>

#include "base/thread_annotations.h"

namespace ring3 {

class RING3_CAPABILITY("mutex") Mutex {
 public:
  void lock() RING3_ACQUIRE() { mutex_.lock(); }
  void unlock() RING3_RELEASE() { mutex_.unlock(); }
  bool try_lock() RING3_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

class RING3_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& m) RING3_ACQUIRE(m) : mutex_(m) { mutex_.lock(); }
  ~MutexLock() RING3_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace ring3
