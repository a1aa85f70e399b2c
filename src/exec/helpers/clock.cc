// Clocks: what the host says. Coarse time may lag behind; here it is as good as the fine one.
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

}  // namespace

HelperRows clock_helpers() { return kRows; }

}  // namespace ring3::exec
