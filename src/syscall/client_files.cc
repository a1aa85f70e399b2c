#include "syscall/client_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>

namespace ring3::syscall {

Result<FileIdentity> identify_own(int fd) {
  struct stat st;
  const int flags = fd < 0 ? -1 : ::fcntl(fd, F_GETFL);
  // An O_PATH descriptor names a file without having it open; no command takes one.
  if (flags < 0 || (flags & O_PATH) != 0 || ::fstat(fd, &st) != 0) return Errno::kBadF;
  return FileIdentity{st.st_dev, st.st_ino, flags, S_ISSOCK(st.st_mode)};
}

Result<std::string> own_directory_path(int fd) {
  struct stat st;
  if (::fstat(fd, &st) != 0) return Errno::kBadF;
  if (!S_ISDIR(st.st_mode)) return Errno::kNotDir;
  char path[PATH_MAX];
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  if (n < 0) return Errno::kBadF;
  return std::string(path, static_cast<std::size_t>(n));
}

Result<FileIdentity> OwnFiles::identify(int fd) { return identify_own(fd); }

Result<int> OwnFiles::install(OwnedFd fd) { return fd.release(); }

Result<std::string> OwnFiles::directory_path(int fd) {
  if (fd != AT_FDCWD) return own_directory_path(fd);
  char path[PATH_MAX];
  if (::getcwd(path, sizeof path) == nullptr) return Errno::kNoEnt;
  return std::string(path);
}

}  // namespace ring3::syscall
