// How often and how long a program ran. Counting is always on, so it must cost next to nothing: each of the
// first kShards threads owns a cache line of the counter and adds without a locked instruction; later
// threads share the last line with atomic adds. Totals are exact once the runs they count have returned.
//
// Time is sampled: of the runs a thread counts in a line of its own, one in kSampledEvery is timed, whether or not anybody
// asked (BPF_ENABLE_STATS times all).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ring3::exec {

struct RunTotals {
  std::uint64_t runs = 0;
  std::uint64_t run_time_ns = 0;      // of the runs made while statistics were enabled
  std::uint64_t recursion_misses = 0;
  std::uint64_t sampled_runs = 0;     // that were timed because it was their turn
  std::uint64_t sampled_ns = 0;       // … and how long they took
};

namespace detail {
inline constexpr std::uint32_t kUnclaimedOrdinal = UINT32_MAX;
extern constinit thread_local std::uint32_t t_ordinal __attribute__((tls_model("initial-exec")));
/// The same in bytes, for code that counts by itself: see RunStats::own_runs().
extern constinit thread_local std::uint32_t t_own_runs __attribute__((tls_model("initial-exec")));
std::uint32_t claim_ordinal() noexcept;
}  // namespace detail

/// A small number for the calling thread, unique among live threads while below RunStats::kShards;
/// returned for reuse when the thread ends.
inline std::uint32_t thread_ordinal() noexcept {
  const std::uint32_t ordinal = detail::t_ordinal;
  return __builtin_expect(ordinal == detail::kUnclaimedOrdinal, 0) ? detail::claim_ordinal() : ordinal;
}

class RunStats {
 public:
  static constexpr std::uint32_t kShards = 32;

  /// For code that counts by itself: the thread's runs are the 64-bit word detail::t_own_runs bytes behind this address. Of a
  /// thread that has no line of its own (yet) it is one that never changes and always says that its next run is to be timed,
  /// which such code leaves to others.
  static constexpr std::uint32_t kShardBytes = 64;
  static constexpr std::uint32_t kNoOwnRuns = 33 * kShardBytes;
  const void* own_runs() const noexcept { return &shards_[0].runs; }

  RunStats() noexcept { shards_.back().runs.store(kSampledAt, std::memory_order_relaxed); }

  /// The turn of a thread's run is when the lowest byte of its count is kSampledAt: the second run is the first one timed.
  static constexpr std::uint32_t kSampledEvery = 256;
  static constexpr std::uint8_t kSampledAt = 1;
  static bool is_sampled(std::uint64_t runs) noexcept { return runs % kSampledEvery == kSampledAt; }
  bool next_is_sampled() const noexcept {
    const std::uint32_t ordinal = thread_ordinal();
    return ordinal < kShards && is_sampled(shards_[ordinal].runs.load(std::memory_order_relaxed));
  }

  /// The calling thread's own count of runs, for who counts one in line; null: it has none, or has not claimed it yet.
  std::atomic<std::uint64_t>* own_word() noexcept {
    const std::uint32_t ordinal = detail::t_ordinal;
    return __builtin_expect(ordinal < kShards, 1) ? &shards_[ordinal].runs : nullptr;
  }

  void count_run() noexcept { add(&Shard::runs, 1); }
  void count_time(std::uint64_t ns) noexcept { add(&Shard::run_time_ns, ns); }
  void count_sample(std::uint64_t ns) noexcept { add(&Shard::sampled_runs, 1), add(&Shard::sampled_ns, ns); }
  void count_miss() noexcept { add(&Shard::misses, 1); }

  RunTotals totals() const noexcept {
    RunTotals t;
    for (const Shard& s : std::span(shards_).first(kShards + 1)) {
      t.runs += s.runs.load(std::memory_order_relaxed);
      t.run_time_ns += s.run_time_ns.load(std::memory_order_relaxed);
      t.recursion_misses += s.misses.load(std::memory_order_relaxed);
      t.sampled_runs += s.sampled_runs.load(std::memory_order_relaxed);
      t.sampled_ns += s.sampled_ns.load(std::memory_order_relaxed);
    }
    return t;
  }

 private:
  struct alignas(kShardBytes) Shard {
    std::atomic<std::uint64_t> runs{0};
    std::atomic<std::uint64_t> run_time_ns{0};
    std::atomic<std::uint64_t> misses{0};
    std::atomic<std::uint64_t> sampled_runs{0};
    std::atomic<std::uint64_t> sampled_ns{0};
  };

  void add(std::atomic<std::uint64_t> Shard::*counter, std::uint64_t n) noexcept {
    const std::uint32_t ordinal = thread_ordinal();
    if (ordinal < kShards) {
      std::atomic<std::uint64_t>& own = shards_[ordinal].*counter;
      own.store(own.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    } else {
      (shards_[kShards].*counter).fetch_add(n, std::memory_order_relaxed);
    }
  }

  std::array<Shard, kShards + 2> shards_;  // each of the first threads', all others', and the one at kNoOwnRuns
};

}  // namespace ring3::exec
