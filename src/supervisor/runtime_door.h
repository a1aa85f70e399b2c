// The door to a runtime in this process, which lives as long as the command. It is made when the first call comes: a command
// that never calls bpf(2) does not pay for it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ring3/log.h"
#include "ring3/runtime.h"
#include "supervisor/door.h"
#include "syscall/doorbell.h"

namespace ring3::supervisor {

class RuntimeDoor final : public Door {
 public:
  /// btf: the types programs see, raw. own_types: they are other than the machine's own, so clients must be shown them.
  RuntimeDoor(std::vector<std::byte> btf, bool own_types, Log* log)
      : btf_(std::move(btf)), own_types_(own_types), log_(log) {}

  BpfOutcome bpf(const Listener& listener, const Notification& n, TaskEntry& caller, const BpfCall& call) override;
  Result<OwnedFd> wake_file(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) override;
  Result<std::string> fd_info(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) override;
  Result<OwnedFd> event_file(TaskEntry& caller) override;
  Result<void> event_pages(const Listener& listener, const Notification& n, TaskEntry& caller, int fd, std::uint32_t pages) override;
  bool remote() const override { return false; }
  bool quick(const BpfCall& call) const override;
  Result<OwnedFd> types() override;
  void interrupt(TaskEntry&) override {}

  /// Makes it if there is none yet. Errors: the runtime's.
  Result<Runtime*> runtime();

 private:
  Result<void> start();

  const std::vector<std::byte> btf_;
  const bool own_types_;
  Log* const log_;
  std::once_flag once_;
  std::atomic<bool> ready_{false};
  Errno failed_{};
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<syscall::Doorbell> doorbell_;  // before the runtime's end
};

}  // namespace ring3::supervisor
