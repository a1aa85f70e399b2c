#include "exec/run_stats.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace ring3::exec {
namespace {

TEST(RunStatsTest, TotalsAddUpOverMoreThreadsThanShards) {
  const auto stats = std::make_unique<RunStats>();
  std::atomic<std::uint32_t> ready{0};
  constexpr std::uint32_t kThreads = RunStats::kShards + 8;
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      thread_ordinal();
      ready.fetch_add(1);
      while (ready.load() < kThreads) std::this_thread::yield();  // all alive at once
      for (int i = 0; i < 100; ++i) stats->count_run();
      stats->count_time(7);
      stats->count_miss();
    });
  for (std::thread& t : threads) t.join();
  const RunTotals totals = stats->totals();
  EXPECT_EQ(totals.runs, kThreads * 100u);
  EXPECT_EQ(totals.run_time_ns, kThreads * 7u);
  EXPECT_EQ(totals.recursion_misses, kThreads);
}

TEST(RunStatsTest, OrdinalsOfEndedThreadsAreUsedAgain) {
  std::uint32_t highest = 0;
  for (int i = 0; i < 100; ++i) std::thread([&] { highest = std::max(highest, thread_ordinal()); }).join();
  EXPECT_LT(highest, RunStats::kShards);
}

}  // namespace
}  // namespace ring3::exec
