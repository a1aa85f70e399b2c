// Where the bpf(2) calls of a supervised command go: a host on the control socket (host_door.h) or a runtime in this
// process (runtime_door.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "supervisor/notification.h"
#include "supervisor/task_table.h"
#include "syscall/bpf.h"
#include "syscall/device_request.h"

namespace ring3::supervisor {

struct BpfCall {
  int command = 0;
  std::uint64_t attr = 0;
  std::uint32_t size = 0;
  syscall::CommonAttrs common{};
};

struct BpfOutcome {
  long result = 0;   // as the system call: ≥ 0 or a negated errno
  std::string text;  // words of whoever answered, "" none
};

class Door {
 public:
  virtual ~Door() = default;
  virtual BpfOutcome bpf(const Listener& listener, const Notification& n, TaskEntry& caller, const BpfCall& call) = 0;
  /// The eventfd for a ring that a descriptor of the caller stands for (syscall/wake_file.h). Errors: kBadF; kInval not a ring.
  virtual Result<OwnedFd> wake_file(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) = 0;
  /// What stands for a perf event of BPF output (syscall/event_files.h). Errors: kMFile, kNoMem.
  virtual Result<OwnedFd> event_file(TaskEntry& caller) = 0;
  /// How many pages of data the caller maps; 0: only whether it is one. Errors: kBadF it is not; kInval, kBusy.
  virtual Result<void> event_pages(const Listener& listener, const Notification& n, TaskEntry& caller, int fd, std::uint32_t pages) = 0;
  /// The lines of fdinfo for an object of the caller's (syscall/fdinfo.h). Errors: kBadF; kInval another file.
  virtual Result<std::string> fd_info(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) = 0;
  /// The devices that take one XDP program, and what stands there. Errors: the host's.
  virtual Result<std::vector<syscall::DeviceProgram>> device_programs(TaskEntry&) { return std::vector<syscall::DeviceProgram>(); }
  /// By a descriptor of the caller (syscall/device_programs.h).
  virtual BpfOutcome set_device_program(const Listener&, const Notification&, TaskEntry&, const syscall::DeviceRequest&) {
    return {to_syscall(Errno::kNoDev), {}};
  }
  /// Every answer waits for another process.
  virtual bool remote() const = 0;
  /// Answered without waiting for anybody and in microseconds.
  virtual bool quick(const BpfCall& call) const = 0;
  /// What clients are to take for the kernel's BTF: a file, read-only; none: what the machine has is right.
  /// Asked once, before the command starts. Errors: the host's.
  virtual Result<OwnedFd> types() = 0;
  /// How many possible CPUs programs see; 0: as many as the machine has. Asked once, before the command starts.
  virtual std::uint32_t cpus() { return 0; }
  /// Called a few times a second: whatever is kept for the next call, and none came, may go. From one thread.
  virtual void rest() noexcept {}
  /// Calls that wait for somebody come back with an error. From any thread.
  virtual void interrupt(TaskEntry& caller) = 0;
};

}  // namespace ring3::supervisor
