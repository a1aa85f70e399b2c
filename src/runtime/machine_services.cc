#include "runtime/machine_services.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace ring3 {
namespace {

std::uint64_t clock_ns(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

std::uint32_t machine_cpus() {
  return static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
}

}  // namespace

MachineServices::MachineServices(Log* log, std::uint32_t possible_cpus, Clock* clock)
    : log_(log), possible_cpus_(possible_cpus != 0 ? possible_cpus : machine_cpus()), clock_(clock) {}

// A host's own clock is all of them.
std::uint64_t MachineServices::ktime_ns() { return clock_ ? clock_->now_ns() : clock_ns(CLOCK_MONOTONIC); }
std::uint64_t MachineServices::boot_ns() { return clock_ ? clock_->now_ns() : clock_ns(CLOCK_BOOTTIME); }
std::uint64_t MachineServices::tai_ns() { return clock_ ? clock_->now_ns() : clock_ns(CLOCK_TAI); }

exec::TaskView MachineServices::current_task() {
  static thread_local const auto tid = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  exec::TaskView task{};
  task.tgid = static_cast<std::uint32_t>(::getpid());
  task.tid = tid;
  task.uid = ::getuid();
  task.gid = ::getgid();
  ::pthread_getname_np(::pthread_self(), task.comm, sizeof(task.comm));
  return task;
}

void MachineServices::printk(std::string_view module, std::string_view line) {
  if (log_ != nullptr) log_->line(Severity::kInfo, module, line);
}

}  // namespace ring3
