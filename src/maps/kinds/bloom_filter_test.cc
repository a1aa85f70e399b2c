#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

MapSpec bloom(std::uint32_t value, std::uint32_t entries, std::uint64_t extra = 0, std::uint32_t flags = 0) {
  MapSpec s = spec(BPF_MAP_TYPE_BLOOM_FILTER, 0, value, entries, flags);
  s.extra = extra;
  return s;
}

TEST(BloomFilterTest, AttributesAreChecked) {
  FakeHost host;
  EXPECT_EQ(create_errno(host, bloom(4, 2)), 0);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_BLOOM_FILTER, 4, 4, 2)), EINVAL);
  EXPECT_EQ(create_errno(host, bloom(0, 2)), EINVAL);
  EXPECT_EQ(create_errno(host, bloom(4, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, bloom(4, 2, 15, BPF_F_ZERO_SEED | BPF_F_NUMA_NODE)), 0);
  EXPECT_EQ(create_errno(host, bloom(4, 2, 16)), EINVAL);
  EXPECT_EQ(create_errno(host, bloom(4, 2, 0, BPF_F_NO_PREALLOC)), EINVAL);
  EXPECT_EQ(create_errno(host, bloom(8 << 20, 1)), E2BIG);
  EXPECT_EQ(create_errno(host, bloom(4, 0xffffffff, 15)), 0) << "bits are touched when they are first set";
}

TEST(BloomFilterTest, OperationsThatDoNotExist) {
  FakeHost host;
  auto m = make(host, bloom(4, 8)).value();
  std::uint32_t v = 1;
  NoFds fds;
  EXPECT_EQ(code(delete_elem(*m, {})), EOPNOTSUPP);
  EXPECT_EQ(code(next_key(*m, {}, {})), EOPNOTSUPP);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, {}, writable(v), 0)), 524);
  EXPECT_EQ(code(update_elem(*m, {}, bytes(v), BPF_NOEXIST, fds)), EINVAL);
  EXPECT_EQ(code(update_elem(*m, {}, bytes(v), BPF_EXIST, fds)), EINVAL);
  EXPECT_EQ(m->ops().data.push(*m, &v, BPF_EXIST), -EINVAL);
  EXPECT_EQ(m->ops().data.pop(*m, &v), -EOPNOTSUPP);
  EXPECT_TRUE(m->ops().control.lookup_asks);
}

TEST(BloomFilterTest, WhatWasPushedIsFoundAndLittleElse) {
  FakeHost host;
  constexpr std::uint64_t kEntries = 4000;
  for (const std::uint64_t hashes : {0u, 1u, 5u, 15u}) {
    auto m = make(host, bloom(8, kEntries, hashes)).value();
    NoFds fds;
    for (std::uint64_t v = 0; v < kEntries; ++v)
      ASSERT_EQ(v % 2 ? code(update_elem(*m, {}, bytes(v), 0, fds)) : static_cast<int>(m->ops().data.push(*m, &v, 0)), 0);
    std::uint64_t wrong = 0;
    for (std::uint64_t v = 0; v < kEntries; ++v) {
      ASSERT_EQ(m->ops().data.peek(*m, &v), 0);
      ASSERT_EQ(code(lookup_elem(*m, {}, writable(v), 0)), 0);
      std::uint64_t other = v + (std::uint64_t{1} << 40);
      const long peeked = m->ops().data.peek(*m, &other);
      EXPECT_TRUE(peeked == 0 || peeked == -ENOENT);
      wrong += peeked == 0;
    }
    // At most half of the bits are set: 2^-hashes, with room for chance.
    const std::uint64_t k = hashes == 0 ? 5 : hashes;
    EXPECT_LE(wrong, (kEntries >> k) * 3 / 2 + 20) << hashes;
  }
}

TEST(BloomFilterStressTest, PushersDoNotLoseEachOthersBits) {
  FakeHost host;
  auto m = make(host, bloom(8, 4096)).value();
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 1000; ++i) {
        std::uint64_t v = i * 3 + t;
        EXPECT_EQ(m->ops().data.push(*m, &v, 0), 0);
        EXPECT_EQ(m->ops().data.peek(*m, &v), 0);
      }
    });
  for (auto& t : threads) t.join();
  for (std::uint64_t v = 0; v < 3000; ++v) EXPECT_EQ(m->ops().data.peek(*m, &v), 0) << v;
}

}  // namespace
}  // namespace ring3::maps
