// The seccomp filter under which a command and all its children run: which calls are sent to the supervisor.
//
// It is installed by the child between fork and exec, holds for every process that descends from it, and cannot be taken
// off. What the filter can decide by numbers it decides; the rest (paths, which file a descriptor is) costs a round trip
// and is let through by the supervisor. Calls of another architecture than this library's go to the kernel as ever.
#pragma once

#include <span>
#include <string>

#include "base/owned_fd.h"
#include "ring3/result.h"

namespace ring3::supervisor {

/// A call that is sent, and when: always, or when (argument & mask) equals value.
struct Intercepted {
  int number;
  int argument = -1;  // -1: always
  std::uint64_t mask = 0;
  std::uint64_t value = 0;
};

/// The program, ready to be installed: everything that needs memory happens here, before fork().
class Filter {
 public:
  /// Errors: kNoMem, kInval.
  static Result<Filter> build(std::span<const Intercepted> calls);
  /// For the calling process, from now on and for good; sets NO_NEW_PRIVS. The listener.
  /// Errors, with words in why: kBusy a listener holds already (seccomp allows one); kNoSys, kInval, kAcces, kPerm no
  /// listeners here.
  Result<OwnedFd> install(std::string& why) const;

 private:
  explicit Filter(std::string program) : program_(std::move(program)) {}
  std::string program_;  // sock_filter records
};

/// Whether this process may put a listener on its children; words when not. Tries it out in a child.
bool listeners_available(std::string& why);

}  // namespace ring3::supervisor
