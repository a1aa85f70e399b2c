// The door to a host: one connection of the control socket for each thread that calls, which speaks for that thread
// (control/principal.h, docs/adr/0011). A call that the host is slow to answer holds up nobody else.
#pragma once

#include <memory>
#include <string>

#include "control/client.h"
#include "supervisor/door.h"

namespace ring3::supervisor {

class HostDoor final : public Door {
 public:
  /// Errors, with words in why: those of control::Client::connect.
  static Result<std::unique_ptr<HostDoor>> open(std::string host, std::string& why);

  BpfOutcome bpf(const Listener& listener, const Notification& n, TaskEntry& caller, const BpfCall& call) override;
  Result<OwnedFd> wake_file(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) override;
  Result<std::string> fd_info(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) override;
  Result<OwnedFd> event_file(TaskEntry& caller) override;
  Result<void> event_pages(const Listener& listener, const Notification& n, TaskEntry& caller, int fd, std::uint32_t pages) override;
  Result<std::vector<syscall::DeviceProgram>> device_programs(TaskEntry& caller) override;
  BpfOutcome set_device_program(const Listener& listener, const Notification& n, TaskEntry& caller,
                                const syscall::DeviceRequest& request) override;
  bool remote() const override { return true; }
  bool quick(const BpfCall&) const override { return false; }
  Result<OwnedFd> types() override;
  std::uint32_t cpus() override;
  void interrupt(TaskEntry& caller) override;

 private:
  class Voice;
  class Session;
  HostDoor(std::string host, std::unique_ptr<control::Client> own) : host_(std::move(host)), own_(std::move(own)) {}
  Result<Session*> session_of(TaskEntry& caller, std::string& why);

  const std::string host_;  // a name or a path
  const std::unique_ptr<control::Client> own_;
};

}  // namespace ring3::supervisor
