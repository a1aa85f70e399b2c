#include "exec/cpu_slots.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace ring3::exec {
namespace {

TEST(CpuSlotsTest, EverySlotIsLeasedOnce) {
  CpuSlots slots(5);
  std::vector<bool> seen(5);
  for (int i = 0; i < 5; ++i) {
    const std::uint32_t slot = slots.acquire();
    ASSERT_LT(slot, 5u);
    EXPECT_FALSE(seen[slot]);
    seen[slot] = true;
  }
  for (std::uint32_t slot = 0; slot < 5; ++slot) slots.release(slot);
  slots.release(slots.acquire());
}

TEST(CpuSlotsTest, NoCpusCountAsOne) {
  CpuSlots slots(0);
  EXPECT_EQ(slots.count(), 1u);
  EXPECT_EQ(slots.preferred(), 0u);
  EXPECT_EQ(slots.acquire(), 0u);
  slots.release(0);
}

TEST(CpuSlotsTest, SleeperGetsTheSlotThatIsGivenBack) {
  CpuSlots slots(1);
  const std::uint32_t slot = slots.acquire();
  std::atomic<bool> leased{false};
  std::thread sleeper([&] {
    const std::uint32_t got = slots.acquire();
    leased.store(true);
    slots.release(got);
  });
  EXPECT_FALSE(leased.load());
  slots.release(slot);
  sleeper.join();
  EXPECT_TRUE(leased.load());
}

/// A slot that one thread has leased often is its own; others get it all the same.
TEST(CpuSlotsTest, AnIdleThreadsOwnSlotIsTakenAway) {
  CpuSlots slots(1);
  for (int i = 0; i < 100; ++i) slots.release(slots.acquire());
  for (int round = 0; round < 20; ++round) {
    std::thread other([&] {
      for (int i = 0; i < 40; ++i) slots.release(slots.acquire());
    });
    other.join();
    for (int i = 0; i < 40; ++i) slots.release(slots.acquire());
  }
}

TEST(CpuSlotsTest, ABusyThreadsOwnSlotIsNot) {
  CpuSlots slots(1);
  for (int i = 0; i < 100; ++i) slots.release(slots.acquire());
  const std::uint32_t slot = slots.acquire();
  std::atomic<bool> started{false}, leased{false};
  std::thread other([&] {
    started = true;
    const std::uint32_t got = slots.acquire();
    leased = true;
    slots.release(got);
  });
  while (!started) std::this_thread::yield();
  for (int i = 0; i < 50; ++i) std::this_thread::yield();
  EXPECT_FALSE(leased);
  slots.release(slot);
  other.join();
  EXPECT_TRUE(leased);
  slots.release(slots.acquire());
}

TEST(CpuSlotsTest, AThreadsOwnSlotOutlivesNeitherThreadNorSlots) {
  for (int round = 0; round < 3; ++round) {
    CpuSlots first(1), second(1);
    std::thread([&] {
      for (CpuSlots* slots : {&first, &second, &first})
        for (int i = 0; i < 20; ++i) slots->release(slots->acquire());
      // Both at a time, as programs of two runtimes nest.
      const std::uint32_t outer = first.acquire(), inner = second.acquire();
      second.release(inner);
      first.release(outer);
    }).join();
    first.release(first.acquire());
    second.release(second.acquire());
  }
}

/// More threads than slots; plain counters per slot must add up. TSan sees a missing order.
TEST(CpuSlotsTest, PlainCountersPerSlotAreExact) {
  constexpr std::uint32_t kSlots = 3;
  constexpr int kThreads = 6;
  constexpr int kRuns = 3000;
  CpuSlots slots(kSlots);
  struct alignas(64) Counter {
    std::uint64_t value = 0;
  };
  std::array<Counter, kSlots> counters;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRuns; ++i) {
        const std::uint32_t slot = slots.acquire();
        ++counters[slot].value;
        slots.release(slot);
        if (i % 100 == t) std::this_thread::yield();  // so that slots change hands
      }
    });
  for (std::thread& t : threads) t.join();
  std::uint64_t total = 0;
  for (const Counter& c : counters) total += c.value;
  EXPECT_EQ(total, std::uint64_t{kThreads} * kRuns);
}

TEST(CpuSlotsDeathTest, ReleaseOutOfRangeIsABug) {
  CpuSlots slots(2);
  EXPECT_DEATH(slots.release(2), "CPU slot out of range");
}

}  // namespace
}  // namespace ring3::exec
