#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "base/fault_point.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

TEST(LruHashTest, AttributesAreChecked) {
  FakeHost host;
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 8, 1, BPF_F_NO_PREALLOC)), 524);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 8, 1, BPF_F_NO_COMMON_LRU)), 0);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 8, 1, BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 1)), 0);
  auto s = spec(BPF_MAP_TYPE_LRU_HASH, 4, 8, 1);
  s.fields.fields.push_back({model::FieldKind::kSpinLock, 0, 4, nullptr, 0, 0});
  EXPECT_EQ(create_errno(host, s), EOPNOTSUPP);
}

TEST(LruHashTest, FullMapEvictsInsteadOfRefusing) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 4, 10)).value();
  for (std::uint32_t k = 0; k < 1000; ++k) {
    ASSERT_EQ(update(*m, k, k), 0);
    std::uint32_t out = 0;
    ASSERT_EQ(lookup(*m, k, out), 0);
    ASSERT_EQ(out, k);
  }
  EXPECT_EQ(keys<std::uint32_t>(*m).size(), 10u);
}

TEST(LruHashTest, WhatProgramsUseStays) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 4, 8)).value();
  std::uint32_t hot = 1u << 20;
  ASSERT_EQ(update(*m, hot, hot), 0);
  for (std::uint32_t k = 0; k < 500; ++k) {
    ASSERT_EQ(update(*m, k, k), 0);
    rcu::ReadSection section;
    ASSERT_NE(find<std::uint32_t>(*m, hot), nullptr) << k;
  }
}

TEST(LruHashTest, ClientLookupsAreNoUse) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 4, 8)).value();
  std::uint32_t cold = 1u << 20, out = 0;
  ASSERT_EQ(update(*m, cold, cold), 0);
  int seen = 0;
  for (std::uint32_t k = 0; k < 100; ++k) {
    ASSERT_EQ(update(*m, k, k), 0);
    seen += lookup(*m, cold, out) == 0;
  }
  EXPECT_LT(seen, 20);
}

TEST(LruHashTest, FlagsAndErrnos) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_HASH, 4, 4, 2)).value();
  std::uint32_t a = 1, b = 2, c = 3;
  EXPECT_EQ(update(*m, a, a, BPF_EXIST), ENOENT);
  EXPECT_EQ(update(*m, a, a, BPF_NOEXIST), 0);
  EXPECT_EQ(update(*m, a, a, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(update(*m, a, a, BPF_F_LOCK), EINVAL);
  EXPECT_EQ(update(*m, b, b), 0);
  EXPECT_EQ(update(*m, c, c, BPF_EXIST), ENOENT) << "a refused update evicts nobody";
  EXPECT_EQ(keys<std::uint32_t>(*m).size(), 2u);
  EXPECT_EQ(erase(*m, c), ENOENT);
}

TEST(LruHashTest, NeverAllocatesOnTheRunPath) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 16)).value();
  FaultInjection fault(0);
  for (std::uint32_t k = 0; k < 200; ++k) {
    std::uint64_t v = k;
    ASSERT_EQ(m->ops().data.update(*m, &k, &v, 0), 0);
  }
  EXPECT_FALSE(fault.fired());
}

TEST(LruPerCpuHashTest, EvictedElementsStartFresh) {
  FakeHost host(2);
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 8, 2)).value();
  for (std::uint32_t k = 0; k < 50; ++k) {
    FakeHost::cpu() = k % 2;
    std::uint64_t v = k + 1;
    ASSERT_EQ(m->ops().data.update(*m, &k, &v, BPF_NOEXIST), 0);
    std::uint64_t out[2];
    ASSERT_EQ(lookup(*m, k, out), 0);
    EXPECT_EQ(out[k % 2], k + 1);
    EXPECT_EQ(out[1 - k % 2], 0u);
  }
  FakeHost::cpu() = 0;
}

TEST(LruHashStressTest, EvictionAgainstReadersAndDeleters) {
  FakeHost host;
  struct Value {
    std::uint64_t key, copy;
  };
  auto m = make(host, spec(BPF_MAP_TYPE_LRU_HASH, 8, sizeof(Value), 16)).value();
  std::atomic<int> running{2};
  std::vector<std::thread> threads;
  for (std::uint64_t w = 0; w < 2; ++w)
    threads.emplace_back([&, w] {
      for (std::uint64_t i = 0; i < 5000; ++i) {
        const std::uint64_t k = (i * 5 + w * 13) % 64;
        const int e = update(*m, k, Value{k, k});
        EXPECT_TRUE(e == 0 || e == ENOMEM) << e;  // all places may be in motion at once
        if (i % 7 == 0) erase(*m, (k + 1) % 64);
      }
      --running;
    });
  threads.emplace_back([&] {
    for (std::uint64_t i = 0; running != 0; ++i) {
      const std::uint64_t k = i % 64;
      Value v{};
      if (lookup(*m, k, v) == 0) {
        EXPECT_EQ(v.key, k);
        EXPECT_EQ(v.copy, k);
      }
      rcu::ReadSection section;
      find<Value>(*m, k);
    }
  });
  for (auto& t : threads) t.join();
  EXPECT_LE(keys<std::uint64_t>(*m).size(), 16u);
  for (std::uint64_t k = 100; k < 116; ++k) EXPECT_EQ(update(*m, k, Value{k, k}), 0);
}

}  // namespace
}  // namespace ring3::maps
