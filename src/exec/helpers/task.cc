// The current task, as the host describes the thread that runs the program, and the other tasks (exec/tasks.h).
#include <cstring>

#include "exec/engine.h"
#include "exec/helpers/kfunc_rows.h"
#include "exec/host_services.h"
#include "exec/machine.h"
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
  return address_register(run.machine->tasks.current());
}

std::uint64_t task_acquire(std::uint64_t task, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return Tasks::acquire(pointer_register<void>(task)) ? task : 0;
}
std::uint64_t task_release(std::uint64_t task, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  Tasks::release(pointer_register<void>(task));
  return 0;
}
std::uint64_t task_from_pid(std::uint64_t pid, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return address_register(run.machine->tasks.find(static_cast<std::uint32_t>(pid)));
}

/// struct bpf_iter_task: in order of the threads' numbers, so that what comes and goes meanwhile breaks nothing. One that
/// could not be made is all zeros, and ends at once.
struct TaskIter {
  std::uint32_t begun;
  std::uint32_t flags;
  std::uint64_t last;  // the number of the task last given
  std::uint64_t unused;
};
static_assert(sizeof(TaskIter) == 24);

enum Whom : std::uint32_t { kAllProcesses, kAllThreads, kThreadsOfProcess };

std::uint64_t iter_new(std::uint64_t it, std::uint64_t task, std::uint64_t what, std::uint64_t, std::uint64_t,
                       RunContext& run) {
  const auto flags = static_cast<std::uint32_t>(what);
  TaskIter& iter = *pointer_register<TaskIter>(it);
  iter = {};
  if (flags > kThreadsOfProcess || (flags == kThreadsOfProcess && task == 0)) return error_register(Errno::kInval);
  run.machine->tasks.refresh();
  iter = {.begun = 1, .flags = flags, .last = 0, .unused = 0};
  return 0;
}
/// A host is one process.
std::uint64_t iter_next(std::uint64_t it, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  TaskIter& iter = *pointer_register<TaskIter>(it);
  if (iter.begun == 0) return 0;
  Tasks& tasks = run.machine->tasks;
  void* task = tasks.after(static_cast<std::uint32_t>(iter.last));
  while (task != nullptr && iter.flags == kAllProcesses && !Tasks::is_process(task)) task = tasks.after(Tasks::number(task));
  iter = {.begun = task != nullptr, .flags = iter.flags, .last = task != nullptr ? Tasks::number(task) : 0, .unused = 0};
  return address_register(task);
}
std::uint64_t iter_destroy(std::uint64_t it, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  *pointer_register<TaskIter>(it) = {};
  return 0;
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_task_acquire", task_acquire},   {"bpf_task_release", task_release}, {"bpf_task_from_pid", task_from_pid},
    {"bpf_iter_task_new", iter_new},      {"bpf_iter_task_next", iter_next},  {"bpf_iter_task_destroy", iter_destroy},
};

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_current_pid_tgid, pid_tgid),
    RING3_HELPER(get_current_uid_gid, uid_gid),
    RING3_HELPER(get_current_comm, comm),
    RING3_HELPER(get_current_task, task),
    RING3_HELPER(get_current_task_btf, task),
};

}  // namespace

HelperRows task_helpers() { return kRows; }
KfuncRows task_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
