// Who serves the tree of pins as a file system inside `ring3 run` (cli/run_pins.h: this room stands below FUSE).
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::supervisor {

/// Serves the tree of pins as a file system.
class PinServer {
 public:
  virtual ~PinServer() = default;
  /// fuse: an open connection of a FUSE file system, mounted at /sys/fs/bpf of the command, whose user namespace it speaks
  /// in. Answers from now on, by threads of its own, until stop(). Errors, with words in why: then the command finds an empty directory that answers errors.
  virtual Result<void> serve(OwnedFd fuse, pid_t command, std::string& why) = 0;
  /// Whether something stands there. path: below /sys/fs/bpf, "a/b"; "" is the root. Symbolic links are not followed.
  virtual bool stands(std::string_view path) = 0;
  virtual void stop() = 0;
};

}  // namespace ring3::supervisor
