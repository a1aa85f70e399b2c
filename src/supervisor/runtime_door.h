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
#include "supervisor/held_files.h"
#include "syscall/doorbell.h"

namespace ring3::supervisor {

class RuntimeDoor final : public Door {
 public:
  /// The types programs see, raw. Errors, with words in why.
  using TypeSource = Result<std::vector<std::byte>> (*)(std::string& why);
  /// With the machine's own types, asked for once, when they are needed.
  RuntimeDoor(TypeSource machines, Log* log, ClientLimits limits = {}) : source_(machines), log_(log), limits_(limits) {}
  /// With other types, which clients must be shown.
  RuntimeDoor(std::vector<std::byte> types, Log* log, ClientLimits limits = {}) : btf_(std::move(types)), log_(log), limits_(limits) {}

  BpfOutcome bpf(const Listener& listener, const Notification& n, TaskEntry& caller, const BpfCall& call) override;
  Result<OwnedFd> wake_file(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) override;
  Result<std::string> fd_info(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) override;
  Result<OwnedFd> event_file(TaskEntry& caller) override;
  Result<void> event_pages(const Listener& listener, const Notification& n, TaskEntry& caller, int fd, std::uint32_t pages) override;
  bool remote() const override { return false; }
  bool quick(const BpfCall& call) const override;
  Result<OwnedFd> types() override;
  void interrupt(TaskEntry&) override {}
  void rest() noexcept override { held_.drop_idle(); }

  /// Makes it if there is none yet. Errors: the runtime's.
  Result<Runtime*> runtime();

 private:
  Result<void> start();

  const TypeSource source_ = nullptr;  // null: btf_ is there, and not the machine's
  std::vector<std::byte> btf_;         // written once, under once_ or before anything else runs
  Log* const log_;
  const ClientLimits limits_;
  std::once_flag once_;
  std::atomic<bool> ready_{false};
  Errno failed_{};
  std::unique_ptr<Runtime> runtime_;
  HeldFiles held_;
  std::unique_ptr<syscall::Doorbell> doorbell_;  // before the runtime's end
};

}  // namespace ring3::supervisor
