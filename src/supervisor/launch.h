// Starts the command: fork, namespaces, filter, exec. The child hands the listener over and waits until the supervisor is ready.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "ring3/result.h"
#include "supervisor/filter.h"
#include "supervisor/namespaces.h"

namespace ring3::supervisor {

struct LaunchPlan {
  std::vector<std::string> command;  // looked up in PATH
  bool namespaces = true;
  std::vector<Overlay> overlays;
  std::vector<FileOverlay> files;
  std::vector<std::string> writable;  // directories in which the command can make files of its own
  bool bpffs = false;  // mount a FUSE file system at /sys/fs/bpf
};

/// The child, stopped before exec. Its process group is the supervisor's.
struct Child {
  pid_t pid = 0;
  OwnedFd pidfd;
  OwnedFd listener;
  OwnedFd channel;               // go() speaks through it
  OwnedFd fuse;                  // of /sys/fs/bpf, if one was mounted
  bool overlays_placed = false;  // all of them
  std::string remarks;           // lines: what was wished for and not possible
};

/// Call it while this process has one thread. Errors, with words in why: those of Filter::install; kAgain, kNoMem no process.
Result<Child> launch(const LaunchPlan& plan, const Filter& filter, std::string& why);
/// Lets the child exec. Errors: what exec says; the child has ended then. Blocks until exec has happened, so calls must be
/// answered meanwhile.
Result<void> go(Child& child);

}  // namespace ring3::supervisor
