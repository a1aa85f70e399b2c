// The caller's descriptor table, as commands need it. A descriptor number is never remembered: at each
// use it is resolved to the file behind it (device, inode), and that to an object (descriptors.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::syscall {

/// What a descriptor is, whatever number it has and however it came there (dup, fork, SCM_RIGHTS).
struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  int open_flags = 0;  // F_GETFL: the access mode is what matters
  bool socket = false;
};

class ClientFiles {
 public:
  virtual ~ClientFiles() = default;
  /// open: may take what keeps the file open. Who looks up what the file stands for lets go of it afterwards: else a client that closes
  /// its last descriptor meanwhile takes the object away between the two. Errors: kBadF not an open descriptor of the caller.
  virtual Result<FileIdentity> identify(int fd, OwnedFd& open) = 0;
  /// Puts a descriptor of this process into the caller's table, close-on-exec. Returns the caller's number.
  /// Errors: kMFile.
  virtual Result<int> install(OwnedFd fd) = 0;
  /// Closes a descriptor of the caller, which runs a program that asks for it. Where only the caller itself can (it is another
  /// process, and stopped in a call), the number stays taken by a file that is nothing. Errors: kBadF.
  virtual Result<void> close(int fd) = 0;
  /// Absolute path of a directory descriptor; AT_FDCWD: the working directory.
  /// Errors: kBadF; kNotDir.
  virtual Result<std::string> directory_path(int fd) = 0;
  /// The process or thread behind a pidfd, by its number here. Errors: kBadF not an open pidfd; kNoEnt it has ended, or has no
  /// number here.
  virtual Result<pid_t> process(int fd) = 0;
};

/// Callers in this process. Stateless, thread-safe.
class OwnFiles final : public ClientFiles {
 public:
  Result<FileIdentity> identify(int fd, OwnedFd& open) override;
  Result<int> install(OwnedFd fd) override;
  Result<void> close(int fd) override;
  Result<std::string> directory_path(int fd) override;
  Result<pid_t> process(int fd) override;
};

/// For implementations: identity of a descriptor of this process. Errors: kBadF.
Result<FileIdentity> identify_own(int fd);
/// For implementations: the path behind a directory descriptor of this process. Errors: kBadF; kNotDir.
Result<std::string> own_directory_path(int fd);
/// For implementations: the process behind a pidfd of this process. Errors: as ClientFiles::process().
Result<pid_t> own_pidfd(int fd);

}  // namespace ring3::syscall
