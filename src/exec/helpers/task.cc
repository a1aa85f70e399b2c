// The current task, as the host describes the thread that runs the program.
#include <cstring>

#include "exec/helpers/rows.h"
#include "exec/host_services.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

std::uint64_t pid_tgid(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  const TaskView task = run.host->current_task();
  return std::uint64_t{task.tgid} << 32 | task.tid;
}

std::uint64_t uid_gid(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  const TaskView task = run.host->current_task();
  return std::uint64_t{task.gid} << 32 | task.uid;
}

/// Fills the whole buffer: the name cut to fit, NUL, zeros.
std::uint64_t comm(std::uint64_t buffer, std::uint64_t size, std::uint64_t, std::uint64_t, std::uint64_t,
                   RunContext& run) {
  const std::uint32_t bytes = static_cast<std::uint32_t>(size);
  if (bytes == 0) return error_register(Errno::kInval);
  const TaskView task = run.host->current_task();
  char* const to = pointer_register<char>(buffer);
  const std::size_t name = strnlen(task.comm, sizeof(task.comm) - 1);
  const std::size_t copied = name < bytes ? name : bytes - 1;
  std::memcpy(to, task.comm, copied);
  std::memset(to + copied, 0, bytes - copied);
  return 0;
}

std::uint64_t task(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return reinterpret_cast<std::uint64_t>(run.host->current_task().object);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_current_pid_tgid, pid_tgid),
    RING3_HELPER(get_current_uid_gid, uid_gid),
    RING3_HELPER(get_current_comm, comm),
    RING3_HELPER(get_current_task, task),
    RING3_HELPER(get_current_task_btf, task),
};

}  // namespace

HelperRows task_helpers() { return kRows; }

}  // namespace ring3::exec
