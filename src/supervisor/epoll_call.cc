// epoll_ctl on a ring: the client's descriptor is a memfd, which epoll refuses. An eventfd of the ring goes into the client's set in its
// place, with the client's data, edge triggered (syscall/wake_file.h). All other files are left to the kernel.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "supervisor/calls.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

/// Null: not a ring. The door is asked every time: a ring that all clients have closed, and that was pinned, has another eventfd when it
/// is opened again.
std::shared_ptr<const OwnedFd> wake_file_of(Intercept& call, int fd) {
  if (!memory_file(call, fd)) return nullptr;
  Result<OwnedFd> wake = call.door.wake_file(call.listener, call.n, call.caller, fd);
  const Result<OwnedFd> ring = call.caller.task.file(fd);
  if (!wake.ok() || !ring.ok()) return nullptr;
  return call.wake_files.use(ring->get(), std::move(*wake));
}

/// Where all memfds are; 0: it cannot be asked for now.
dev_t memory_device() {
  static std::atomic<dev_t> known{0};
  if (known.load(std::memory_order_relaxed) != 0) return known.load(std::memory_order_relaxed);
  const OwnedFd file(::memfd_create("device", MFD_CLOEXEC));
  struct stat st;
  if (!file || ::fstat(file.get(), &st) != 0) return 0;
  known.store(st.st_dev, std::memory_order_relaxed);
  return st.st_dev;
}

}  // namespace

// By its path: a duplicate would have to be closed again, which files of FUSE tell their server, who may never answer. For the same reason
// its file system is not asked (AT_STATX_DONT_SYNC).
std::optional<MemoryFile> memory_file(const Intercept& call, int fd) {
  if (fd < 0) return std::nullopt;
  char path[48];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", static_cast<int>(call.n.task), fd);
  struct statx st;
  if (::statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) != 0 || !S_ISREG(st.stx_mode)) return std::nullopt;
  const dev_t device = ::makedev(st.stx_dev_major, st.stx_dev_minor);
  if (device != memory_device()) return std::nullopt;
  return MemoryFile{device, st.stx_ino};
}

Answer answer_epoll_ctl(Intercept& call) {
  const int operation = call.n.int_arg(1);
  const std::shared_ptr<const OwnedFd> file = wake_file_of(call, call.n.int_arg(2));
  if (file == nullptr) return std::nullopt;
  const int wake = file->get();
  const Result<OwnedFd> set = call.caller.task.file(call.n.int_arg(0));
  if (!set.ok()) return std::nullopt;
  epoll_event event{};
  if (operation != EPOLL_CTL_DEL) {
    const Result<epoll_event> wanted = NotifiedMemory(call.listener, call.n).read_value<epoll_event>(call.n.args[3]);
    if (!wanted.ok()) return to_syscall(wanted.error());
    event = *wanted;
    event.events |= EPOLLET;
  }
  if (::epoll_ctl(set->get(), operation, wake, &event) != 0) return -errno;
  // What stood in the ring before is news to this set.
  if (operation != EPOLL_CTL_DEL) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake, &one, sizeof one);
  }
  return 0;
}

}  // namespace ring3::supervisor
