#include "maps/stack_trace.h"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <thread>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

// Errnos as Linux answers them to the same calls.
TEST(StackTraceTest, AttributesAreChecked) {
  FakeHost host;
  const auto traces = [&](std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = 0) {
    return create_errno(host, spec(BPF_MAP_TYPE_STACK_TRACE, key, value, entries, flags));
  };
  EXPECT_EQ(traces(4, 8, 2), 0);
  EXPECT_EQ(traces(8, 8, 2), EINVAL);
  EXPECT_EQ(traces(4, 4, 2), EINVAL);
  EXPECT_EQ(traces(4, 12, 2), EINVAL);
  EXPECT_EQ(traces(4, 127 * 8, 2), 0);
  EXPECT_EQ(traces(4, 128 * 8, 2), EINVAL);
  EXPECT_EQ(traces(4, 8, 0), EINVAL);
  EXPECT_EQ(traces(4, 8, 2, BPF_F_RDONLY_PROG), EINVAL);
  EXPECT_EQ(traces(4, 8, 2, BPF_F_ZERO_SEED), EINVAL);
  EXPECT_EQ(traces(4, 8, 2, BPF_F_NUMA_NODE | BPF_F_RDONLY), 0);
  EXPECT_EQ(traces(4, 8, 0x80000001), E2BIG);
  EXPECT_EQ(traces(4, 40, 2, BPF_F_STACK_BUILD_ID), EINVAL);
  EXPECT_EQ(traces(4, 32, 2, BPF_F_STACK_BUILD_ID), 0);
  EXPECT_EQ(traces(4, 127 * 32, 2, BPF_F_STACK_BUILD_ID), 0);
  EXPECT_EQ(traces(4, 128 * 32, 2, BPF_F_STACK_BUILD_ID), EINVAL);
}

TEST(StackTraceTest, ChainsAreStoredOnceAndRead) {
  FakeHost host;
  constexpr std::uint32_t kPlaces = 1u << 20;  // two chains seldom meet in one: the hash is seeded
  auto m = make(host, spec(BPF_MAP_TYPE_STACK_TRACE, 4, 32, kPlaces)).value();
  const std::uint64_t chain[] = {1, 2, 3, 4, 5};
  long id, again, skipped;
  {
    rcu::ReadSection section;
    id = stack_trace_store(*m, chain, 0);
    again = stack_trace_store(*m, chain, kStackFastCompare);
    skipped = stack_trace_store(*m, chain, 3);
    EXPECT_EQ(stack_trace_store(*m, chain, 5), -EFAULT);
    EXPECT_EQ(stack_trace_store(*m, chain, 1 << 12), -EINVAL);
  }
  ASSERT_GE(id, 0);
  EXPECT_EQ(again, id);
  std::array<std::uint64_t, 4> out{};
  EXPECT_EQ(lookup(*m, static_cast<std::uint32_t>(id), out), 0);
  EXPECT_EQ(out, (std::array<std::uint64_t, 4>{1, 2, 3, 4})) << "as deep as the value";
  EXPECT_EQ(lookup(*m, static_cast<std::uint32_t>(skipped), out), 0);
  EXPECT_EQ(out, (std::array<std::uint64_t, 4>{4, 5, 0, 0}));
  EXPECT_EQ(keys<std::uint32_t>(*m).size(), 2u);
  EXPECT_EQ(update(*m, std::uint32_t{0}, out), EINVAL);
  EXPECT_EQ(erase(*m, static_cast<std::uint32_t>(id)), 0);
  EXPECT_EQ(erase(*m, static_cast<std::uint32_t>(id)), ENOENT);
  EXPECT_EQ(lookup(*m, kPlaces, out), ENOENT);
}

TEST(StackTraceTest, AnOccupiedPlaceIsTakenOnlyOnRequest) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_STACK_TRACE, 4, 8, 1)).value();
  const std::uint64_t a[] = {1}, b[] = {2};
  std::uint64_t out = 0;
  {
    rcu::ReadSection section;
    EXPECT_EQ(stack_trace_store(*m, a, 0), 0);
    EXPECT_EQ(stack_trace_store(*m, b, 0), -EEXIST);
    EXPECT_EQ(stack_trace_store(*m, b, kStackReuseId), 0);
  }
  EXPECT_EQ(lookup(*m, std::uint32_t{0}, out), 0);
  EXPECT_EQ(out, 2u);
}

TEST(StackTraceTest, EntriesWithBuildIdsAreSkippedWhole) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_STACK_TRACE, 4, 32, 2, BPF_F_STACK_BUILD_ID)).value();
  const std::uint64_t chain[] = {1, 2, 3, 4, 5, 6, 7, 8};
  long id;
  {
    rcu::ReadSection section;
    id = stack_trace_store(*m, chain, 1);
    EXPECT_EQ(stack_trace_store(*m, chain, 2), -EFAULT);
  }
  ASSERT_GE(id, 0);
  std::array<std::uint64_t, 4> out{};
  EXPECT_EQ(lookup(*m, static_cast<std::uint32_t>(id), out), 0);
  EXPECT_EQ(out, (std::array<std::uint64_t, 4>{5, 6, 7, 8}));
}

TEST(StackTraceStressTest, NobodySeesHalfAChain) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_STACK_TRACE, 4, 32, 2)).value();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 3000; ++i) {
        if (t == 2) {
          std::array<std::uint64_t, 4> out{};
          if (lookup(*m, static_cast<std::uint32_t>(i % 2), out) == 0) {
            EXPECT_EQ(out[0], out[1]);
            EXPECT_EQ(out[0], out[3]);
          }
          if (i % 16 == 0) erase(*m, static_cast<std::uint32_t>(i / 16 % 2));
          continue;
        }
        const std::uint64_t chain[] = {i, i, i, i};
        rcu::ReadSection section;
        EXPECT_GE(stack_trace_store(*m, chain, kStackReuseId), 0);
      }
    });
  for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace ring3::maps
