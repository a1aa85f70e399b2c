// A thread whose calls are answered: what the supervisor reaches of it.
//
// Rights: this process may trace the thread (same user, or owner of its user namespace), which pidfd_getfd,
// process_vm_* and /proc/PID/mem ask for. A thread that is gone answers errors everywhere.
//
// Soundness of pids: a Task holds a pidfd, and alive() asks it, so a cached Task never means a later thread of the same
// number. While a thread waits for its notification it lives; when it is killed meanwhile its number could be taken by
// another process before a copy by number happens, so writes ask the listener right before (notified_caller.h).
//
// Thread-safe but for what says otherwise.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/owned_fd.h"
#include "ring3/result.h"
#include "syscall/caller.h"

namespace ring3::supervisor {

class Task {
 public:
  /// Errors: kSrch no such thread.
  static Result<Task> open(pid_t task);

  pid_t id() const { return id_; }
  /// Of its thread group; 0: it is gone.
  pid_t process() const;
  int pidfd() const { return pidfd_.get(); }
  /// The thread is still the one that was opened. False when in doubt.
  bool alive() const;

  /// Every use of a descriptor asks the thread, not its process: seen_gone() can be relied on (Linux 6.9).
  bool answers_for_itself() const { return of_thread_; }
  /// file() or identity() found that this thread has ended.
  bool seen_gone() const { return seen_gone_; }

  /// A duplicate of one of its descriptors; AT_FDCWD: its working directory (O_PATH). Errors: kBadF.
  Result<OwnedFd> file(int fd) const;
  /// Its /proc/PID/mem, open for reading and writing; bound to the address space of this moment. Errors: kSrch, kAcces.
  Result<OwnedFd> open_memory() const;
  mode_t umask() const;
  /// One that it has not blocked waits for it, or for its process. Of a stopped or killed thread too.
  bool has_signal() const;
  /// As this process's user namespace sees it. Errors: kSrch.
  Result<syscall::Credentials> credentials() const;
  /// The same without its groups: one system call where the kernel can tell (PIDFD_GET_INFO, Linux 6.13). Errors: kSrch.
  Result<syscall::Credentials> identity() const;

 private:
  Task(pid_t id, OwnedFd pidfd, bool of_thread) : id_(id), pidfd_(std::move(pidfd)), of_thread_(of_thread) {}
  std::string proc(const char* file) const { return "/proc/" + std::to_string(id_) + "/" + file; }
  /// The value of a line of /proc/PID/status; "" none.
  static std::string status_line(const std::string& status, std::string_view key);
  std::string status() const;

  pid_t id_;
  OwnedFd pidfd_;
  mutable bool seen_gone_ = false;  // written by the calls of the thread of this number, one at a time
  bool of_thread_;  // else of its process, which may outlive the thread (before Linux 6.9)
};

}  // namespace ring3::supervisor
