#include "exec/run_stats.h"

#include <bit>

namespace ring3::exec {
namespace {

static_assert(RunStats::kShards == 32, "the ordinals in use are one 32-bit word");
std::atomic<std::uint32_t> ordinals_in_use{0};

using detail::t_ordinal;

/// Gives the ordinal back when its thread ends. A program that runs even later on this thread counts in
/// the shared line.
struct OrdinalOwner {
  ~OrdinalOwner() {
    const std::uint32_t ordinal = t_ordinal;
    t_ordinal = RunStats::kShards;
    detail::t_own_runs = RunStats::kNoOwnRuns;
    if (ordinal < RunStats::kShards) ordinals_in_use.fetch_and(~(1u << ordinal), std::memory_order_release);
  }
};

std::uint32_t claim() noexcept {
  std::uint32_t used = ordinals_in_use.load(std::memory_order_relaxed);
  while (used != UINT32_MAX) {
    const std::uint32_t free = static_cast<std::uint32_t>(std::countr_one(used));
    // acquire: the former owner's last additions are visible to our plain ones.
    if (ordinals_in_use.compare_exchange_weak(used, used | 1u << free, std::memory_order_acquire,
                                              std::memory_order_relaxed))
      return free;
  }
  return RunStats::kShards;
}

}  // namespace

constinit thread_local std::uint32_t detail::t_ordinal = kUnclaimedOrdinal;
constinit thread_local std::uint32_t detail::t_own_runs = RunStats::kNoOwnRuns;
static_assert(RunStats::kNoOwnRuns == (RunStats::kShards + 1) * RunStats::kShardBytes);

std::uint32_t detail::claim_ordinal() noexcept {
  thread_local OrdinalOwner owner;
  (void)owner;
  t_ordinal = claim();
  if (t_ordinal < RunStats::kShards) t_own_runs = t_ordinal * RunStats::kShardBytes;
  return t_ordinal;
}

}  // namespace ring3::exec
