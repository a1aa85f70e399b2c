#include "attach/link.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/try.h"

namespace ring3::attach {

Link::Link(const LinkOps& ops, std::uint32_t attach_type, Ref<Object> target, ObjectTable& table, Birth birth)
    : Object(kKind, table, birth), ops_(ops), attach_type_(attach_type), target_(std::move(target)) {}

Link::~Link() {
  MutexLock lock(mutex_);
  hang_up();
  if (poll_read_fd_ >= 0) ::close(poll_read_fd_);
}

void Link::last_ref() noexcept {
  // A place may still be about to detach the link it found under RCU, so this is one step under the mutex.
  withdraw();
}

void Link::withdraw() noexcept {
  Ref<Object> held;
  MutexLock lock(mutex_);
  if (state() == LinkState::kAttached && ops_.release != nullptr) ops_.release(*this);
  end_locked(held);
}

void Link::end_locked(Ref<Object>& held) noexcept {
  state_.store(LinkState::kDetached, std::memory_order_release);
  held = std::move(target_);
  hang_up();
}

Ref<Object> Link::target() const {
  MutexLock lock(mutex_);
  return target_;
}

Result<void> Link::attach() {
  MutexLock lock(mutex_);
  if (state() != LinkState::kPending) return Errno::kNoLink;
  if (ops_.attach != nullptr) RING3_TRY(ops_.attach(*this));
  state_.store(LinkState::kAttached, std::memory_order_release);
  return {};
}

void Link::give() noexcept {
  MutexLock lock(mutex_);
  given_.store(true, std::memory_order_relaxed);
  if (ops_.given != nullptr) ops_.given(*this);
}

Result<void> Link::detach() {
  if (ops_.detach == nullptr) return Errno::kOpNotSupp;
  Ref<Object> held;
  MutexLock lock(mutex_);
  if (state() == LinkState::kDetached) return {};
  return detach_locked(held);
}

Result<void> Link::detach_attached() {
  if (ops_.detach == nullptr) return Errno::kOpNotSupp;
  Ref<Object> held;
  MutexLock lock(mutex_);
  if (state() != LinkState::kAttached) return Errno::kNoEnt;
  return detach_locked(held);
}

Result<void> Link::detach_from(const Object& target) {
  if (ops_.detach == nullptr) return Errno::kOpNotSupp;
  Ref<Object> held;
  MutexLock lock(mutex_);
  if (state() != LinkState::kAttached || target_.get() != &target) return Errno::kNoEnt;
  return detach_locked(held);
}

Result<void> Link::detach_locked(Ref<Object>& held) {
  if (state() == LinkState::kAttached) RING3_TRY(ops_.detach(*this));
  end_locked(held);
  return {};
}

Result<void> Link::update_prog(Ref<Object> new_prog, Ref<Object> old_prog, std::uint32_t flags) {
  if (ops_.update_prog == nullptr) return Errno::kInval;
  MutexLock lock(mutex_);
  if (state() != LinkState::kAttached) return Errno::kNoLink;
  return ops_.update_prog(*this, std::move(new_prog), std::move(old_prog), flags);
}

Result<void> Link::update_map(Ref<Object> new_map, Ref<Object> old_map, std::uint32_t flags) {
  if (ops_.update_map == nullptr) return Errno::kInval;
  MutexLock lock(mutex_);
  if (state() != LinkState::kAttached) return Errno::kNoLink;
  return ops_.update_map(*this, std::move(new_map), std::move(old_map), flags);
}

void Link::fill_info(uapi::bpf_link_info& info) const {
  info.type = static_cast<uapi::__u32>(ops_.type);
  info.id = id();
  const Ref<Object> held = target();
  if (held && held->kind() == ObjectKind::kProg) info.prog_id = held->id();
  if (ops_.fill_info != nullptr) ops_.fill_info(*this, info);
}

Result<int> Link::poll_fd() {
  if (!ops_.pollable) return Errno::kPerm;
  MutexLock lock(mutex_);
  if (poll_read_fd_ < 0) {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return errno == ENOMEM ? Errno::kNoMem : Errno::kMFile;
    poll_read_fd_ = fds[0];
    poll_write_fd_ = fds[1];
    if (state() == LinkState::kDetached) hang_up();
  }
  const int fd = ::fcntl(poll_read_fd_, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return Errno::kMFile;
  return fd;
}

void Link::hang_up() noexcept {
  if (poll_write_fd_ >= 0) ::close(std::exchange(poll_write_fd_, -1));
}

}  // namespace ring3::attach
