// The threads that have called so far, each with what a door keeps for it. An entry goes when its thread has ended.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "base/mutex.h"
#include "base/owned_fd.h"
#include "supervisor/task.h"

namespace ring3::supervisor {

/// What a door keeps for a thread (a connection). Ends with the thread.
class DoorSession {
 public:
  virtual ~DoorSession() = default;
};

/// One call at a time uses an entry: a thread waits for its answer. The mutex is for who interrupts it.
struct TaskEntry {
  explicit TaskEntry(Task opened) : task(std::move(opened)) {}
  const Task task;
  std::atomic<bool> gave_up{false};                 // long_calls.h
  std::optional<syscall::Credentials> credentials;  // as of the last call that cared
  Mutex mutex;
  std::unique_ptr<DoorSession> session;  // changed under the mutex, by the caller's own call only
};

class TaskTable {
 public:
  /// Errors: kMFile.
  static Result<std::unique_ptr<TaskTable>> create();

  /// Errors: kSrch it is gone, kNoMem.
  Result<std::shared_ptr<TaskEntry>> find(pid_t task);
  /// Without asking whether the thread still is the one that had this number: task.seen_gone() tells when it was not.
  Result<std::shared_ptr<TaskEntry>> find_known(pid_t task);
  /// Readable when a thread has ended.
  int fd() const { return ends_.get(); }
  void drop_ended();
  /// For the end: every entry, whoever uses it still.
  std::map<pid_t, std::shared_ptr<TaskEntry>> all();

 private:
  explicit TaskTable(OwnedFd ends) : ends_(std::move(ends)) {}
  const OwnedFd ends_;  // epoll over the entries' pidfds
  Mutex mutex_;
  std::map<pid_t, std::shared_ptr<TaskEntry>> tasks_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::supervisor
