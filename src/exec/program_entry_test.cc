#include "exec/program_entry.h"
#include "ring3/read_section.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <thread>
#include <vector>

#include "base/fault_point.h"
#include "object/rcu.h"
#include "tests/support/fake_host.h"

namespace ring3::exec {
namespace {

using Body = std::function<std::uint64_t(RunContext&, void*)>;

/// A program that is a C++ function.
class TestCode final : public Code {
 public:
  explicit TestCode(Body body, std::atomic<int>* live = nullptr) : body_(std::move(body)), live_(live) {
    if (live_ != nullptr) ++*live_;
  }
  ~TestCode() override {
    if (live_ != nullptr) --*live_;
  }
  std::uint64_t call_subprog(RunContext&, std::uint32_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                             std::uint64_t) const override {
    return 0;
  }
  const char* tier() const override { return "test"; }

 protected:
  std::uint64_t enter(RunContext& run, void* ctx) const override { return body_(run, ctx); }

 private:
  const Body body_;
  std::atomic<int>* const live_;
};

class ProgramEntryTest : public ::testing::Test {
 protected:
  ~ProgramEntryTest() override { rcu::drain(); }
  static void set(ProgramEntry& entry, Body body, std::atomic<int>* live = nullptr) {
    ASSERT_TRUE(entry.set_code(std::make_unique<TestCode>(std::move(body), live)).ok());
  }
  test::FakeHost host_{3};
  Machine machine_{host_};
};

TEST_F(ProgramEntryTest, RunsTheCodeWithItsContext) {
  ProgramEntry entry(machine_, {});
  set(entry, [&](RunContext& run, void* ctx) {
    EXPECT_EQ(run.host, &host_);
    EXPECT_EQ(run.entry, &entry);
    EXPECT_EQ(current_run(), &run);
    EXPECT_FALSE(run.holds_slot);
    return *static_cast<std::uint64_t*>(ctx) + run.attach_cookie;
  });
  std::uint64_t ctx = 40;
  EXPECT_EQ(entry.run({.ctx = &ctx, .cookie = 2}), 42u);
  EXPECT_EQ(entry.totals().runs, 1u);
  EXPECT_EQ(entry.totals().run_time_ns, 0u);
  EXPECT_EQ(current_run(), nullptr);
}

TEST_F(ProgramEntryTest, WithoutCodeNothingRuns) {
  ProgramEntry entry(machine_, {});
  EXPECT_EQ(entry.run(nullptr), 0u);
  EXPECT_EQ(entry.totals().runs, 0u);
}

TEST_F(ProgramEntryTest, RunTimeIsMeasuredWhileEnabled) {
  ProgramEntry entry(machine_, {});
  set(entry, [&](RunContext&, void*) { return host_.advance(250), 0; });
  entry.run(nullptr);
  machine_.stats_users = 1;
  entry.run(nullptr);
  entry.run(nullptr);
  machine_.stats_users = 0;
  entry.run(nullptr);
  EXPECT_EQ(entry.totals().runs, 4u);
  EXPECT_EQ(entry.totals().run_time_ns, 500u);
}

TEST_F(ProgramEntryTest, OneRunInManyIsTimedUnasked) {
  ProgramEntry entry(machine_, {});
  set(entry, [&](RunContext&, void*) { return host_.advance(40), 0; });
  for (std::uint32_t i = 0; i < 2 * RunStats::kSampledEvery; ++i) entry.run(nullptr);
  EXPECT_EQ(entry.totals().sampled_runs, 2u);
  EXPECT_EQ(entry.totals().sampled_ns, 80u);
  EXPECT_EQ(entry.totals().run_time_ns, 0u);  // nobody asked
  for (std::uint32_t i = 0; i < RunStats::kSampledEvery; ++i) {
    ring3::ReadSection readers;
    entry.run_inside()(&entry, nullptr);
  }
  EXPECT_EQ(entry.totals().sampled_runs, 3u);
  EXPECT_EQ(entry.totals().runs, 3 * RunStats::kSampledEvery);
}

TEST_F(ProgramEntryTest, RecursionIsSkippedAndCounted) {
  ProgramEntry outer(machine_, {}), inner(machine_, {});
  set(outer, [&](RunContext&, void*) { return 1 + inner.run(nullptr); });
  set(inner, [&](RunContext&, void*) { return 10 + outer.run(nullptr); });
  EXPECT_EQ(outer.run(nullptr), 11u);
  EXPECT_EQ(outer.totals().recursion_misses, 1u);
  EXPECT_EQ(outer.totals().runs, 1u);
  EXPECT_EQ(inner.totals().recursion_misses, 0u);
}

TEST_F(ProgramEntryTest, RecursionOnAnotherThreadIsNone) {
  ProgramEntry entry(machine_, {});
  int depth = 0;
  set(entry, [&](RunContext&, void*) -> std::uint64_t {
    if (++depth == 2) return 5;
    std::uint64_t result = 0;
    std::thread([&] { result = entry.run(nullptr); }).join();
    return result;
  });
  EXPECT_EQ(entry.run(nullptr), 5u);
  EXPECT_EQ(entry.totals().recursion_misses, 0u);
}

TEST_F(ProgramEntryTest, UnguardedProgramMayRecurse) {
  ProgramEntry entry(machine_, {.guard_recursion = false});
  int depth = 0;
  set(entry, [&](RunContext&, void*) -> std::uint64_t { return ++depth == 3 ? 3 : entry.run(nullptr); });
  EXPECT_EQ(entry.run(nullptr), 3u);
  EXPECT_EQ(entry.totals().runs, 3u);
}

TEST_F(ProgramEntryTest, NestedRunsShareTheSlot) {
  ProgramEntry outer(machine_, {.touches_percpu = true}), plain(machine_, {}), inner(machine_, {.touches_percpu = true});
  std::uint32_t outer_cpu = UINT32_MAX;
  set(outer, [&](RunContext& run, void*) {
    outer_cpu = run.cpu;
    EXPECT_TRUE(run.owns_slot);
    EXPECT_EQ(current_cpu(machine_), run.cpu);
    return plain.run(nullptr);
  });
  set(plain, [&](RunContext&, void*) { return inner.run(nullptr); });
  set(inner, [&](RunContext& run, void*) {
    EXPECT_EQ(run.cpu, outer_cpu);
    EXPECT_TRUE(run.holds_slot);
    EXPECT_FALSE(run.owns_slot);
    return 1;
  });
  EXPECT_EQ(outer.run(nullptr), 1u);
  std::uint32_t taken[3];  // all came back
  for (std::uint32_t& slot : taken) slot = machine_.slots.acquire();
  for (const std::uint32_t slot : taken) machine_.slots.release(slot);
}

TEST_F(ProgramEntryTest, AnotherMachinesSlotIsAnotherSlot) {
  test::FakeHost other_host{1};
  Machine other{other_host};
  ProgramEntry outer(machine_, {.touches_percpu = true}), inner(other, {.touches_percpu = true});
  set(outer, [&](RunContext&, void*) { return inner.run(nullptr); });
  set(inner, [&](RunContext& run, void*) {
    EXPECT_TRUE(run.owns_slot);
    EXPECT_EQ(run.cpu, 0u);
    return 1;
  });
  EXPECT_EQ(outer.run(nullptr), 1u);
}

TEST_F(ProgramEntryTest, OldCodeIsFreedAfterItsReaders) {
  std::atomic<int> live{0};
  {
    ProgramEntry entry(machine_, {});
    set(
        entry,
        [&](RunContext&, void*) {
          // The program replaces itself while it runs, as a struct_ops member may.
          set(entry, [](RunContext&, void*) { return 2; }, &live);
          EXPECT_EQ(live, 2);
          return 1;
        },
        &live);
    EXPECT_EQ(entry.run(nullptr), 1u);
    EXPECT_EQ(entry.run(nullptr), 2u);
    rcu::drain();
    EXPECT_EQ(live, 1);
  }
  EXPECT_EQ(live, 0);
}

TEST_F(ProgramEntryTest, CodeStaysWhenThereIsNoMemoryForTheNext) {
  ProgramEntry entry(machine_, {});
  set(entry, [](RunContext&, void*) { return 1; });
  FaultInjection inject(0);
  EXPECT_EQ(entry.set_code(std::make_unique<TestCode>([](RunContext&, void*) { return 2; })).error(), Errno::kNoMem);
  EXPECT_EQ(entry.run(nullptr), 1u);
}

TEST_F(ProgramEntryTest, CodeIsSwappedUnderRunningThreads) {
  std::atomic<int> live{0};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  {
    ProgramEntry entry(machine_, {.touches_percpu = true});
    std::array<std::uint64_t, 3> per_cpu{};
    const Body body = [&per_cpu](RunContext& run, void*) { return ++per_cpu[run.cpu], 1; };
    set(entry, body, &live);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        do
          if (entry.run(nullptr) != 1) ++wrong;
        while (!stop.load());
      });
    for (int i = 0; i < 100; ++i) set(entry, body, &live);
    stop = true;
    for (std::thread& t : threads) t.join();
    EXPECT_EQ(per_cpu[0] + per_cpu[1] + per_cpu[2], entry.totals().runs);
  }
  rcu::drain();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(live, 0);
}

}  // namespace
}  // namespace ring3::exec
