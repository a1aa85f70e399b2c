// ENABLE_STATS: run times are measured as long as somebody holds the descriptor.
#include <atomic>

#include "base/fault_point.h"
#include "base/try.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

/// Counts as a user of statistics while it lives. Never published, so it has no id.
class StatsHold final : public Object {
 public:
  StatsHold(ObjectTable& table, Birth birth, std::atomic<std::uint32_t>& users)
      : Object(ObjectKind::kStats, table, birth), users_(users) {
    users_.fetch_add(1, std::memory_order_relaxed);
  }

 private:
  void last_ref() noexcept override { users_.fetch_sub(1, std::memory_order_relaxed); }
  std::atomic<std::uint32_t>& users_;
};

}  // namespace

Result<long> enable_stats(Call& call, uapi::bpf_attr& attr) {
  if (attr.enable_stats.type != uapi::BPF_STATS_RUN_TIME) return Errno::kInval;
  if (fault_point()) return Errno::kNoMem;
  auto hold = Ref<StatsHold>::adopt(
      new StatsHold(call.kernel().objects(), call.birth(), call.kernel().services().program_host().machine().stats_users));
  OwnedFd fd = RING3_TRY(call.kernel().descriptors().open(std::move(hold), Access::kReadWrite));
  return long{RING3_TRY(call.caller().files().install(std::move(fd)))};
}

}  // namespace ring3::syscall
