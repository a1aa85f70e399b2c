#include "supervisor/wake_files.h"

#include <linux/kcmp.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

namespace ring3::supervisor {
namespace {

/// Not known to be different: where the kernel does not compare, what was used first stays.
bool same_file(int a, int b) {
  const pid_t own = ::getpid();
  return ::syscall(SYS_kcmp, own, own, KCMP_FILE, a, b) <= 0;
}

}  // namespace

int WakeFiles::watch(int ring) {
  if (!inotify_) inotify_ = OwnedFd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!inotify_) return -1;
  return ::inotify_add_watch(inotify_.get(), ("/proc/self/fd/" + std::to_string(ring)).c_str(), IN_DELETE_SELF);
}

std::shared_ptr<const OwnedFd> WakeFiles::use(int ring, OwnedFd wake) {
  auto fresh = std::make_shared<const OwnedFd>(std::move(wake));
  struct stat st;
  if (::fstat(ring, &st) != 0) return fresh;
  std::shared_ptr<const OwnedFd> old;  // before the lock, so closed after it
  MutexLock lock(mutex_);
  Entry& entry = files_[{st.st_dev, st.st_ino}];
  if (entry.wake != nullptr && same_file(entry.wake->get(), fresh->get())) {
    old.swap(fresh);
    return entry.wake;
  }
  if (entry.watch < 0) entry.watch = watch(ring);
  if (entry.watch >= 0) by_watch_[entry.watch] = {st.st_dev, st.st_ino};
  old.swap(entry.wake);
  entry.wake = std::move(fresh);
  return entry.wake;
}

void WakeFiles::drop_ended() noexcept {
  std::map<Key, Entry> ended;  // before the lock, so closed after it
  MutexLock lock(mutex_);
  if (!inotify_) return;
  alignas(inotify_event) char events[4096];
  const ssize_t n = ::read(inotify_.get(), events, sizeof events);  // the rest next time
  for (const char* at = events; n > 0 && at < events + n;) {
    const auto* event = reinterpret_cast<const inotify_event*>(at);
    at += sizeof(inotify_event) + event->len;
    const auto watched = by_watch_.find(event->wd);
    if (watched == by_watch_.end()) continue;
    if (const auto file = files_.find(watched->second); file != files_.end()) ended.insert(files_.extract(file));
    by_watch_.erase(watched);
  }
}

std::size_t WakeFiles::size() const {
  MutexLock lock(mutex_);
  return files_.size();
}

}  // namespace ring3::supervisor
