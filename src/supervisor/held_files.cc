#include "supervisor/held_files.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

namespace ring3::supervisor {

std::shared_ptr<HeldFiles::Held> HeldFiles::held(pid_t task, int fd) {
  MutexLock lock(mutex_);
  for (const std::shared_ptr<Held>& slot : slots_)
    if (slot != nullptr && slot->task == task && slot->fd == fd) return slot;
  return nullptr;
}

std::optional<syscall::FileIdentity> HeldFiles::find(pid_t task, int fd) {
  if (count_.load(std::memory_order_relaxed) == 0) return std::nullopt;
  const std::shared_ptr<Held> here = held(task, fd);
  if (here == nullptr) return std::nullopt;
  static const pid_t own = ::getpid();
  const long different = ::syscall(SYS_kcmp, task, own, KCMP_FILE, fd, here->file.get());
  if (different < 0 && (errno == ENOSYS || errno == EPERM || errno == EACCES)) comparable_.store(false);
  if (different != 0) return std::nullopt;
  here->used.store(true, std::memory_order_relaxed);
  return here->identity;
}

void HeldFiles::keep(pid_t task, int fd, OwnedFd file, const syscall::FileIdentity& identity) {
  if (!comparable_.load()) return;
  std::shared_ptr<Held> one(new (std::nothrow) Held{task, fd, std::move(file), identity});
  if (one == nullptr || one->file.get() < 0) return;
  MutexLock in_turn(drop_mutex_);
  MutexLock lock(mutex_);  // what was in the slot goes with `one`, after the lock
  std::size_t at = 0;
  while (at < kMost && (slots_[at] == nullptr || slots_[at]->task != task || slots_[at]->fd != fd)) ++at;
  if (at == kMost) at = next_++ % kMost;
  slots_[at].swap(one);
  count_.fetch_add(one == nullptr ? 1 : 0);
}

void HeldFiles::drop() noexcept {
  MutexLock in_turn(drop_mutex_);
  if (count_.load() == 0) return;
  Slots gone;  // before the lock, so closed after it
  MutexLock lock(mutex_);
  gone.swap(slots_);
  count_.store(0);
}

void HeldFiles::drop_idle() noexcept {
  MutexLock in_turn(drop_mutex_);
  if (count_.load() == 0) return;
  Slots gone;
  MutexLock lock(mutex_);
  for (std::size_t i = 0; i < kMost; ++i) {
    if (slots_[i] == nullptr || slots_[i]->used.exchange(false)) continue;
    gone[i].swap(slots_[i]);
    count_.fetch_sub(1);
  }
}

}  // namespace ring3::supervisor
