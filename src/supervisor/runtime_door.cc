#include "supervisor/runtime_door.h"

#include <unistd.h>

#include "base/memfd.h"
#include "base/try.h"
#include "runtime/runtime_impl.h"
#include "supervisor/notified_caller.h"
#include "syscall/event_files.h"
#include "syscall/fdinfo.h"
#include "uapi/bpf.h"

namespace ring3::supervisor {
namespace {

/// Commands that take microseconds whatever their arguments are.
bool is_short(int command) {
  switch (command) {
    case uapi::BPF_MAP_LOOKUP_ELEM:
    case uapi::BPF_MAP_UPDATE_ELEM:
    case uapi::BPF_MAP_DELETE_ELEM:
    case uapi::BPF_MAP_GET_NEXT_KEY:
    case uapi::BPF_MAP_LOOKUP_AND_DELETE_ELEM:
    case uapi::BPF_PROG_GET_NEXT_ID:
    case uapi::BPF_MAP_GET_NEXT_ID:
    case uapi::BPF_BTF_GET_NEXT_ID:
    case uapi::BPF_LINK_GET_NEXT_ID:
    case uapi::BPF_PROG_GET_FD_BY_ID:
    case uapi::BPF_MAP_GET_FD_BY_ID:
    case uapi::BPF_BTF_GET_FD_BY_ID:
    case uapi::BPF_LINK_GET_FD_BY_ID:
    case uapi::BPF_OBJ_GET_INFO_BY_FD: return true;
    default: return false;
  }
}

/// Commands on one element of a map, which cannot tell that another object has gone.
bool may_hold_files(int command) {
  switch (command) {
    case uapi::BPF_MAP_LOOKUP_ELEM:
    case uapi::BPF_MAP_UPDATE_ELEM:
    case uapi::BPF_MAP_DELETE_ELEM:
    case uapi::BPF_MAP_GET_NEXT_KEY: return true;
    default: return false;
  }
}

/// Commands that make something of the caller's and follow no path: whose it is, but not the caller's groups.
bool only_makes(int command) {
  switch (command) {
    case uapi::BPF_MAP_CREATE:
    case uapi::BPF_PROG_LOAD:
    case uapi::BPF_BTF_LOAD:
    case uapi::BPF_LINK_CREATE: return true;
    default: return false;
  }
}

/// Those that neither make nor name anything do not care who calls.
Result<void> know_caller(TaskEntry& caller, int command) {
  if (caller.credentials.has_value() && is_short(command)) return {};
  caller.credentials = RING3_TRY(only_makes(command) ? caller.task.identity() : caller.task.credentials());
  return {};
}

}  // namespace

Result<void> RuntimeDoor::start() {
  if (source_ != nullptr) {
    std::string why;
    Result<std::vector<std::byte>> read = source_(why);
    if (!read.ok() && log_ != nullptr) log_->line(Severity::kError, "", why);
    btf_ = RING3_TRY(std::move(read));
  }
  RuntimeOptions options;
  options.name = "run";
  options.btf = {btf_.data(), btf_.size()};
  options.log = log_;
  options.client_limits = limits_;
  options.accept_unrunnable = true;  // what one comes for is the verifier's word
  runtime_ = RING3_TRY(Runtime::create(options));
  RING3_TRY(runtime_->impl().judge_kernel_kfuncs());
  // What this process starts runs another program at once.
  doorbell_ = RING3_TRY(syscall::Doorbell::start(runtime_->impl().kernel().descriptors(), syscall::Ahead::kOpen));
  return {};
}

Result<Runtime*> RuntimeDoor::runtime() {
  std::call_once(once_, [this] {
    const Result<void> started = start();
    if (!started.ok()) failed_ = started.error();
    ready_.store(started.ok(), std::memory_order_release);
  });
  if (!ready_.load(std::memory_order_acquire)) return failed_;
  return runtime_.get();
}

bool RuntimeDoor::quick(const BpfCall& call) const {
  return ready_.load(std::memory_order_acquire) && (is_short(call.command) || call.command == uapi::BPF_MAP_CREATE);
}

Result<OwnedFd> RuntimeDoor::types() {
  if (source_ != nullptr) return OwnedFd();
  return memfd_of("btf", btf_);
}

Result<OwnedFd> RuntimeDoor::wake_file(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) {
  if (!ready_.load(std::memory_order_acquire)) return Errno::kInval;  // nobody has made a ring yet
  OwnedFd open;
  const syscall::FileIdentity file = RING3_TRY(NotifiedFiles(listener, n, caller.task).identify(fd, open));
  return runtime_->impl().kernel().descriptors().wake_file(file);
}

Result<std::string> RuntimeDoor::fd_info(const Listener& listener, const Notification& n, TaskEntry& caller, int fd) {
  if (!ready_.load(std::memory_order_acquire)) return Errno::kInval;
  OwnedFd open;
  const syscall::FileIdentity file = RING3_TRY(NotifiedFiles(listener, n, caller.task).identify(fd, open));
  return syscall::fdinfo_text(*RING3_TRY(runtime_->impl().kernel().descriptors().find(file)).object);
}

Result<OwnedFd> RuntimeDoor::event_file(TaskEntry& caller) {
  RuntimeImpl& impl = RING3_TRY(runtime())->impl();
  const syscall::Credentials who = RING3_TRY(caller.task.credentials());
  return syscall::open_event_file(impl.kernel(), Birth{.uid = who.uid, .pid = who.pid, .time_ns = impl.now_ns()});
}

Result<void> RuntimeDoor::event_pages(const Listener& listener, const Notification& n, TaskEntry& caller, int fd, std::uint32_t pages) {
  if (!ready_.load(std::memory_order_acquire)) return Errno::kBadF;  // nobody has made one yet
  OwnedFd open;
  const syscall::FileIdentity file = RING3_TRY(NotifiedFiles(listener, n, caller.task).identify(fd, open));
  return syscall::use_event_pages(runtime_->impl().kernel(), file, pages);
}

BpfOutcome RuntimeDoor::bpf(const Listener& listener, const Notification& n, TaskEntry& caller, const BpfCall& call) {
  BpfOutcome out;
  const Result<Runtime*> made = runtime();
  if (!made.ok()) {
    out.result = to_syscall(made.error());
    out.text = "the runtime of this command cannot start\n";
    return out;
  }
  if (const Result<void> known = know_caller(caller, call.command); !known.ok()) {
    out.result = to_syscall(known.error());
    return out;
  }
  const bool holds = may_hold_files(call.command);
  if (!holds) held_.drop();
  NotifiedCaller notified(listener, n, caller.task, *caller.credentials, model::Rights::all(), holds ? &held_ : nullptr, caller.gave_up);
  out.result = syscall::bpf((*made)->impl().kernel(), notified, call.command, call.attr, call.size, call.common);
  // ENOENT is said of elements; of what is no object, other things.
  if (holds && (out.result >= 0 || out.result == to_syscall(Errno::kNoEnt))) notified.keep_file();
  out.text = notified.text();
  return out;
}

}  // namespace ring3::supervisor
