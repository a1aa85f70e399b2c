// `ring3 run`: a command whose bpf(2) calls, and those of all its children, go through a door.
//
// What each process of the command sees: bpf(2) of the host or of a runtime of the command's own; descriptors that are real;
// the types at /sys/kernel/btf/vmlinux. When the supervisor dies their calls get ENOSYS.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ring3/result.h"
#include "supervisor/calls.h"
#include "supervisor/door.h"
#include "supervisor/pin_server.h"
#include "supervisor/report.h"

namespace ring3::supervisor {

struct RunOptions {
  std::vector<std::string> command;
  bool namespaces = true;
  bool verbose = false;  // remarks on stderr
  Extras extras;
  PinServer* pins = nullptr;  // outlives the run; null: pins go by their paths only
};

struct RunEnd {
  int code = 0;  // the command's exit code, or 128 and the signal that ended it
  /// A call was still being answered: threads are left that use the door, and this process must end without tidying up.
  bool must_exit = false;
};

/// Blocks until the command has ended. Call it while this process has one thread; changes its signal mask.
/// Errors, with words in why: those of Filter::install and of exec; kAgain.
Result<RunEnd> run(const RunOptions& options, Door& door, Report& report, std::string& why);

}  // namespace ring3::supervisor
