// Clocks: what the host says. Coarse time may lag behind; here it is as good as the fine one.
#include <ctime>

#include "exec/helpers/rows.h"
#include "exec/host_services.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

constexpr std::uint64_t kNsPerJiffy = 4'000'000;  // 250 a second, as Debian builds its kernels

std::uint64_t ktime(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.host->ktime_ns();
}
std::uint64_t boot(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.host->boot_ns();
}
std::uint64_t tai(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.host->tai_ns();
}
std::uint64_t jiffies(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return run.host->ktime_ns() / kNsPerJiffy;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(ktime_get_ns, ktime),
    RING3_HELPER(ktime_get_boot_ns, boot),
    RING3_HELPER(ktime_get_coarse_ns, ktime),
    RING3_HELPER(ktime_get_tai_ns, tai),
    RING3_HELPER(jiffies64, jiffies),
};

/// What MachineServices answers when the host has no clock of its own. Nothing of the run is looked at, so that programs
/// that only ask for the time are leaves.
template <clockid_t kClock, std::uint64_t kUnitNs = 1>
std::uint64_t machine_time(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  timespec t{};
  ::clock_gettime(kClock, &t);
  return (static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec)) / kUnitNs;
}

constexpr rewrite::HelperCall of_machine(rewrite::HelperCall row) {
  row.needs_run = false;
  return row;
}

constexpr rewrite::HelperCall kMachineRows[] = {
    of_machine(RING3_HELPER(ktime_get_ns, machine_time<CLOCK_MONOTONIC>)),
    of_machine(RING3_HELPER(ktime_get_boot_ns, machine_time<CLOCK_BOOTTIME>)),
    of_machine(RING3_HELPER(ktime_get_coarse_ns, machine_time<CLOCK_MONOTONIC>)),
    of_machine(RING3_HELPER(ktime_get_tai_ns, machine_time<CLOCK_TAI>)),
    of_machine(RING3_HELPER(jiffies64, (machine_time<CLOCK_MONOTONIC, kNsPerJiffy>))),
};

}  // namespace

HelperRows clock_helpers() { return kRows; }
HelperRows machine_clock_helpers() { return kMachineRows; }

}  // namespace ring3::exec
