// epoll_ctl on a ring: the client's descriptor is a memfd, which epoll refuses. An eventfd of the ring goes into the client's set in its
// place, with the client's data, edge triggered (syscall/wake_file.h). All other files are left to the kernel.
#include <linux/magic.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "supervisor/calls.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

/// -1: not a ring. Memfds never have the number of another one again.
int wake_file_of(Intercept& call, int fd) {
  const std::optional<MemoryFile> file = memory_file(call, fd);
  if (!file) return -1;
  if (const std::optional<int> known = call.wake_files.find(file->device, file->inode)) return *known;
  Result<OwnedFd> made = call.door.wake_file(call.listener, call.n, call.caller, fd);
  return call.wake_files.add(file->device, file->inode, made.ok() ? std::move(*made) : OwnedFd());
}

}  // namespace

std::optional<MemoryFile> memory_file(const Intercept& call, int fd) {
  const Result<OwnedFd> file = call.caller.task.file(fd);
  struct stat st;
  struct statfs fs;
  if (!file.ok() || ::fstat(file->get(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
  if (::fstatfs(file->get(), &fs) != 0 || fs.f_type != TMPFS_MAGIC) return std::nullopt;
  return MemoryFile{st.st_dev, st.st_ino};
}

Answer answer_epoll_ctl(Intercept& call) {
  const int operation = call.n.int_arg(1);
  const int wake = wake_file_of(call, call.n.int_arg(2));
  if (wake < 0) return std::nullopt;
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
