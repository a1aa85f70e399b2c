// Timers and work items, as bpf-helpers(7) describes them; exec/timers.h runs them.
#include <ctime>

#include "exec/helpers/kfunc_rows.h"
#include "exec/machine.h"
#include "exec/run_context.h"
#include "maps/map.h"

namespace ring3::exec {
namespace {

constexpr std::uint64_t kAbsolute = 1, kPinToCpu = 2;

std::uint64_t timer_init(std::uint64_t timer, std::uint64_t map, std::uint64_t flags, std::uint64_t, std::uint64_t,
                         RunContext& run) {
  if (flags != CLOCK_MONOTONIC && flags != CLOCK_REALTIME && flags != CLOCK_BOOTTIME) return error_register(Errno::kInval);
  return to_register(run.machine->timers.make(DeferredItem::Kind::kTimer, pointer_register<void>(timer),
                                              *pointer_register<maps::Map>(map)));
}
std::uint64_t set_callback(std::uint64_t field, std::uint64_t callback, std::uint64_t, std::uint64_t, std::uint64_t,
                           RunContext& run) {
  return to_register(
      run.machine->timers.set_callback(pointer_register<void>(field), run.entry, static_cast<std::uint32_t>(callback)));
}
/// All clocks run alike here, so a relative start is one on the monotonic clock.
std::uint64_t timer_start(std::uint64_t timer, std::uint64_t ns, std::uint64_t flags, std::uint64_t, std::uint64_t,
                          RunContext& run) {
  if ((flags & ~(kAbsolute | kPinToCpu)) != 0) return error_register(Errno::kInval);
  const std::uint64_t now_ns = (flags & kAbsolute) != 0 ? 0 : run.host->ktime_ns();
  const std::uint64_t at_ns = ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns;
  return to_register(run.machine->timers.arm(pointer_register<void>(timer), at_ns));
}
std::uint64_t timer_cancel(std::uint64_t timer, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  return to_register(run.machine->timers.cancel(pointer_register<void>(timer)));
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(timer_init, timer_init),
    RING3_HELPER(timer_set_callback, set_callback),
    RING3_HELPER(timer_start, timer_start),
    RING3_HELPER(timer_cancel, timer_cancel),
};

std::uint64_t wq_init(std::uint64_t wq, std::uint64_t map, std::uint64_t flags, std::uint64_t, std::uint64_t,
                      RunContext& run) {
  if (static_cast<std::uint32_t>(flags) != 0) return error_register(Errno::kInval);
  return to_register(
      run.machine->timers.make(DeferredItem::Kind::kWork, pointer_register<void>(wq), *pointer_register<maps::Map>(map)));
}
std::uint64_t wq_set_callback(std::uint64_t wq, std::uint64_t callback, std::uint64_t flags, std::uint64_t r4,
                              std::uint64_t r5, RunContext& run) {
  if (static_cast<std::uint32_t>(flags) != 0) return error_register(Errno::kInval);
  return set_callback(wq, callback, 0, r4, r5, run);
}
std::uint64_t wq_start(std::uint64_t wq, std::uint64_t flags, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  if (static_cast<std::uint32_t>(flags) != 0) return error_register(Errno::kInval);
  return to_register(run.machine->timers.queue(pointer_register<void>(wq)));
}

constexpr OwnKfunc kKfuncs[] = {
    {"bpf_wq_init", wq_init},
    {"bpf_wq_set_callback_impl", wq_set_callback},
    {"bpf_wq_start", wq_start},
};

}  // namespace

HelperRows deferred_helpers() { return kRows; }
KfuncRows work_kfuncs() { return kKfuncs; }

}  // namespace ring3::exec
