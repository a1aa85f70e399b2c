#include "syscall/client_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>

namespace ring3::syscall {

namespace {

/// Without asking a file system that may take its time over it (FUSE, NFS): a client could make us wait for good.
bool look_at(int fd, struct statx& st) {
  return ::statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) == 0;
}

}  // namespace

Result<FileIdentity> identify_own(int fd) {
  struct statx st;
  const int flags = fd < 0 ? -1 : ::fcntl(fd, F_GETFL);
  // An O_PATH descriptor names a file without having it open; no command takes one.
  if (flags < 0 || (flags & O_PATH) != 0 || !look_at(fd, st)) return Errno::kBadF;
  return FileIdentity{::makedev(st.stx_dev_major, st.stx_dev_minor), st.stx_ino, flags, S_ISSOCK(st.stx_mode)};
}

Result<std::string> own_directory_path(int fd) {
  struct statx st;
  if (!look_at(fd, st)) return Errno::kBadF;
  if (!S_ISDIR(st.stx_mode)) return Errno::kNotDir;
  char path[PATH_MAX];
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  if (n < 0) return Errno::kBadF;
  return std::string(path, static_cast<std::size_t>(n));
}

/// "Pid:" of its fdinfo, which other files do not have; -1 when it has ended, 0 when it is outside of this namespace.
Result<pid_t> own_pidfd(int fd) {
  if (fd < 0) return Errno::kBadF;
  std::ifstream info("/proc/self/fdinfo/" + std::to_string(fd));
  for (std::string line; std::getline(info, line);) {
    if (!line.starts_with("Pid:")) continue;
    const long pid = std::strtol(line.c_str() + 4, nullptr, 10);
    return pid > 0 ? Result<pid_t>(static_cast<pid_t>(pid)) : Result<pid_t>(Errno::kNoEnt);
  }
  return Errno::kBadF;
}

Result<FileIdentity> OwnFiles::identify(int fd, OwnedFd&) { return identify_own(fd); }
Result<pid_t> OwnFiles::process(int fd) { return own_pidfd(fd); }

Result<int> OwnFiles::install(OwnedFd fd) { return fd.release(); }
Result<void> OwnFiles::close(int fd) { return ::close(fd) == 0 ? Result<void>() : Errno::kBadF; }

Result<std::string> OwnFiles::directory_path(int fd) {
  if (fd != AT_FDCWD) return own_directory_path(fd);
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) == nullptr) return Errno::kNoEnt;
  return std::string(path);
}

}  // namespace ring3::syscall
