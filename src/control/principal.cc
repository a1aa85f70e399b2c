#include "control/principal.h"

#include <fcntl.h>

#include "syscall/caller.h"

namespace ring3::control {

OwnedFd OwnProcess::memory() { return OwnedFd(::open("/proc/self/mem", O_RDWR | O_CLOEXEC)); }

Result<OwnedFd> OwnProcess::file(int fd) {
  OwnedFd file(fd == AT_FDCWD ? ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC) : ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!file) return Errno::kBadF;
  return file;
}

Result<int> OwnProcess::take(OwnedFd file) { return file.release(); }

Result<void> OwnProcess::close(int fd) { return syscall::OwnFiles().close(fd); }

mode_t OwnProcess::umask() { return syscall::own_umask(); }

}  // namespace ring3::control
