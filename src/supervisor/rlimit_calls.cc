// RLIMIT_MEMLOCK: old clients raise it before they load, and give up when they may not. Nothing here is charged to it, so
// raising it always succeeds; what lowers it or can be had is left to the kernel.
#include <sys/resource.h>
#include <unistd.h>

#include "supervisor/calls.h"
#include "supervisor/notified_caller.h"

namespace ring3::supervisor {
namespace {

/// The kernel would refuse: a hard limit above the present one.
bool beyond_reach(const Intercept& call, std::uint64_t address) {
  const Result<rlimit64> wanted = NotifiedMemory(call.listener, call.n).read_value<rlimit64>(address);
  rlimit64 present;
  if (!wanted.ok() || ::prlimit64(call.n.task, RLIMIT_MEMLOCK, nullptr, &present) != 0) return false;
  return wanted->rlim_cur <= wanted->rlim_max && wanted->rlim_max > present.rlim_max;
}

}  // namespace

Answer answer_setrlimit(Intercept& call) {
  return beyond_reach(call, call.n.args[1]) ? Answer(0) : std::nullopt;
}

Answer answer_prlimit(Intercept& call) {
  const bool itself = call.n.int_arg(0) == 0;
  const bool only_sets = call.n.args[2] != 0 && call.n.args[3] == 0;
  return itself && only_sets && beyond_reach(call, call.n.args[2]) ? Answer(0) : std::nullopt;
}

}  // namespace ring3::supervisor
