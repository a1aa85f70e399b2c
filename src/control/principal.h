// Whom a connection speaks for: what the host asks back about while it answers a request (protocol.h), as the client
// library answers it. Most tools speak for themselves; a supervisor speaks for each of its clients.
#pragma once

#include <sys/types.h>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::control {

/// Used by one request at a time.
class Principal {
 public:
  virtual ~Principal() = default;
  /// The memory that addresses mean: /proc/PID/mem, open for reading and writing. None: every address is a fault.
  virtual OwnedFd memory() = 0;
  /// The file behind a descriptor, to be shown to the host; AT_FDCWD: the working directory. Errors: kBadF.
  virtual Result<OwnedFd> file(int fd) = 0;
  /// Takes a file into the descriptor table, close-on-exec; its number there. Errors: kMFile.
  virtual Result<int> take(OwnedFd file) = 0;
  /// Closes a descriptor, as syscall::ClientFiles::close(). Errors: kBadF.
  virtual Result<void> close(int fd) = 0;
  /// File creation mask.
  virtual mode_t umask() = 0;
};

/// This process.
class OwnProcess final : public Principal {
 public:
  OwnedFd memory() override;
  Result<OwnedFd> file(int fd) override;
  Result<int> take(OwnedFd file) override;
  Result<void> close(int fd) override;
  mode_t umask() override;
};

}  // namespace ring3::control
