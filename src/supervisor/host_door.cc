#include "supervisor/host_door.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "base/try.h"

namespace ring3::supervisor {

/// Speaks for a thread that waits in a call.
class HostDoor::Voice final : public control::Principal {
 public:
  explicit Voice(const Task& task, OwnedFd memory) : task_(task), memory_(std::move(memory)) {}

  /// The call that is being answered.
  void speak_for(const Listener* listener, const Notification* call) {
    listener_ = listener;
    call_ = call;
  }
  OwnedFd memory() override { return std::move(memory_); }
  Result<OwnedFd> file(int fd) override { return task_.file(fd); }
  Result<int> take(OwnedFd file) override {
    if (call_ == nullptr) return Errno::kMFile;
    return listener_->give_file(*call_, file.get());
  }
  Result<void> close(int fd) override {
    if (call_ == nullptr || !task_.file(fd).ok()) return Errno::kBadF;
    return listener_->take_file_away(*call_, fd);
  }
  mode_t umask() override { return task_.umask(); }

 private:
  const Task& task_;
  OwnedFd memory_;
  const Listener* listener_ = nullptr;
  const Notification* call_ = nullptr;
};

class HostDoor::Session final : public DoorSession {
 public:
  Session(std::unique_ptr<control::Client> connected, Voice& voice, OwnedFd mem)
      : client(std::move(connected)), voice_(voice), mem_(std::move(mem)) {}

  /// The connection works and its memory is the caller's: exec makes a new address space, and the old file reads nothing.
  bool usable() const {
    char byte;
    return client->connected() && ::pread(mem_.get(), &byte, 1, 0) != 0;
  }
  long call(const Listener& listener, const Notification& n, const BpfCall& call) {
    const auto pointer = [](std::uint64_t address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); };
    voice_.speak_for(&listener, &n);
    const long result =
        client->bpf(call.command, pointer(call.attr), call.size, pointer(call.common.address), call.common.size);
    voice_.speak_for(nullptr, nullptr);
    return result;
  }

  Result<OwnedFd> wake_file(const Listener& listener, const Notification& n, int fd) {
    voice_.speak_for(&listener, &n);
    Result<OwnedFd> file = client->wake_file(fd);
    voice_.speak_for(nullptr, nullptr);
    return file;
  }

  Result<void> event_pages(const Listener& listener, const Notification& n, int fd, std::uint32_t pages) {
    voice_.speak_for(&listener, &n);
    const Result<void> used = client->event_pages(fd, pages);
    voice_.speak_for(nullptr, nullptr);
    return used;
  }

  BpfOutcome set_device_program(const Listener& listener, const Notification& n, const syscall::DeviceRequest& request) {
    voice_.speak_for(&listener, &n);
    const Result<void> set = client->set_device_program(request);
    voice_.speak_for(nullptr, nullptr);
    return {set.ok() ? 0 : to_syscall(set.error()), client->text()};
  }

  Result<std::string> fd_info(const Listener& listener, const Notification& n, int fd) {
    voice_.speak_for(&listener, &n);
    Result<std::string> text = client->fd_info(fd);
    voice_.speak_for(nullptr, nullptr);
    return text;
  }

  const std::unique_ptr<control::Client> client;

 private:
  Voice& voice_;  // the client owns it
  const OwnedFd mem_;
};

Result<std::unique_ptr<HostDoor>> HostDoor::open(std::string host, std::string& why) {
  auto own = RING3_TRY(control::Client::connect(host, why));
  // The command may run elsewhere and with another environment: only the path says the same everywhere.
  std::string path = own->host().path;
  return std::unique_ptr<HostDoor>(new HostDoor(std::move(path), std::move(own)));
}

Result<OwnedFd> HostDoor::types() { return own_->host_btf(); }

std::uint32_t HostDoor::cpus() {
  const Result<std::uint32_t> cpus = own_->host_cpus();
  return cpus.ok() ? *cpus : 0;
}

Result<HostDoor::Session*> HostDoor::session_of(TaskEntry& caller, std::string& why) {
  auto* known = static_cast<Session*>(caller.session.get());
  if (known != nullptr && known->usable()) return known;
  OwnedFd mem = RING3_TRY(caller.task.open_memory());
  OwnedFd kept(::fcntl(mem.get(), F_DUPFD_CLOEXEC, 0));
  if (!kept) return Errno::kMFile;
  auto voice = std::make_unique<Voice>(caller.task, std::move(mem));
  Voice& speaks = *voice;
  auto client = RING3_TRY(control::Client::connect(host_, why, std::move(voice)));
  auto session = std::make_unique<Session>(std::move(client), speaks, std::move(kept));
  Session* made = session.get();
  std::unique_ptr<DoorSession> old(std::move(session));
  MutexLock lock(caller.mutex);
  caller.session.swap(old);
  return made;
}

BpfOutcome HostDoor::bpf(const Listener& listener, const Notification& n, TaskEntry& caller, const BpfCall& call) {
  BpfOutcome out;
  const Result<Session*> session = session_of(caller, out.text);
  if (!session.ok()) {
    out.result = to_syscall(session.error());
    return out;
  }
  out.result = (*session)->call(listener, n, call);
  out.text = (*session)->client->text();
  // Who gave up has had the connection cut, which is how a host notices.
  if (caller.gave_up.load() && !(*session)->client->connected()) out = {to_syscall(Errno::kIntr), {}};
  return out;
}

Result<OwnedFd> HostDoor::wake_file(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) {
  std::string why;
  Session* session = RING3_TRY(session_of(caller, why));
  return session->wake_file(listener, n, fd);
}

Result<std::string> HostDoor::fd_info(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) {
  std::string why;
  Session* session = RING3_TRY(session_of(caller, why));
  return session->fd_info(listener, n, fd);
}

Result<OwnedFd> HostDoor::event_file(TaskEntry& caller) {
  std::string why;
  Session* session = RING3_TRY(session_of(caller, why));
  return session->client->event_file();
}

Result<void> HostDoor::event_pages(const Listener& listener, const Notification& n, TaskEntry& caller, int fd, std::uint32_t pages) {
  std::string why;
  Session* session = RING3_TRY(session_of(caller, why));
  return session->event_pages(listener, n, fd, pages);
}

Result<std::vector<syscall::DeviceProgram>> HostDoor::device_programs(TaskEntry& caller) {
  std::string why;
  Session* session = RING3_TRY(session_of(caller, why));
  return session->client->device_programs();
}

BpfOutcome HostDoor::set_device_program(const Listener& listener, const Notification& n, TaskEntry& caller,
                                        const syscall::DeviceRequest& request) {
  std::string why;
  const Result<Session*> session = session_of(caller, why);
  if (!session.ok()) return {to_syscall(session.error()), why};
  return (*session)->set_device_program(listener, n, request);
}

void HostDoor::interrupt(TaskEntry& caller) {
  MutexLock lock(caller.mutex);
  if (auto* session = static_cast<Session*>(caller.session.get()); session != nullptr) session->client->hang_up();
}

}  // namespace ring3::supervisor
