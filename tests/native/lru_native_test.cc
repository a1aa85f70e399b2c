// Does an LRU hash keep what the kernel's keeps? One trace, both maps, the share of keys that were found. Skipped
// where the machine allows no bpf(2).
#include <sched.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "base/owned_fd.h"
#include "tests/native/lru_under_test.h"

namespace ring3 {
namespace {

long kernel_bpf(int cmd, bpf_attr& attr) { return syscall(SYS_bpf, cmd, &attr, sizeof attr); }

OwnedFd kernel_lru(std::uint32_t entries) {
  bpf_attr attr{};
  attr.map_type = BPF_MAP_TYPE_LRU_HASH;
  attr.key_size = attr.value_size = 8;
  attr.max_entries = entries;
  return OwnedFd(static_cast<int>(kernel_bpf(BPF_MAP_CREATE, attr)));
}

/// Is the key there? Then it is used again, else it comes in: an update is what counts as use for a client.
bool kernel_access(int fd, std::uint64_t key) {
  std::uint64_t value = 0;
  bpf_attr attr{};
  attr.map_fd = static_cast<std::uint32_t>(fd);
  attr.key = reinterpret_cast<std::uint64_t>(&key);
  attr.value = reinterpret_cast<std::uint64_t>(&value);
  const bool hit = kernel_bpf(BPF_MAP_LOOKUP_ELEM, attr) == 0;
  kernel_bpf(BPF_MAP_UPDATE_ELEM, attr);
  return hit;
}

/// Keys by Zipf's law.
std::vector<std::uint64_t> zipf(std::size_t length, std::uint64_t keys, double skew, std::mt19937_64& random) {
  std::vector<double> sums(keys);
  double sum = 0;
  for (std::uint64_t k = 0; k < keys; ++k) sums[k] = sum += std::pow(static_cast<double>(k + 1), -skew);
  std::uniform_real_distribution<double> uniform(0, sum);
  std::vector<std::uint64_t> trace(length);
  for (auto& key : trace)
    key = static_cast<std::uint64_t>(std::lower_bound(sums.begin(), sums.end(), uniform(random)) - sums.begin());
  return trace;
}

/// Now and then a run of keys that never come again.
std::vector<std::uint64_t> with_scans(std::vector<std::uint64_t> trace, std::size_t every, std::size_t length) {
  std::vector<std::uint64_t> out;
  std::uint64_t fresh = std::uint64_t{1} << 40;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    out.push_back(trace[i]);
    if (i % every == every - 1)
      for (std::size_t n = 0; n < length; ++n) out.push_back(fresh++);
  }
  return out;
}

double share(const std::vector<std::uint64_t>& trace, const std::function<bool(std::uint64_t)>& access) {
  std::size_t hits = 0;
  // The first half fills the map.
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const bool hit = access(trace[i]);
    hits += hit && i >= trace.size() / 2;
  }
  return 100.0 * static_cast<double>(hits) / static_cast<double>(trace.size() - trace.size() / 2);
}

class LruNativeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // The kernel keeps free elements per CPU: a thread that moves sees another cache (0 to 5 % hits on the loop below).
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0) << std::strerror(errno);
    if (kernel_lru(16).get() < 0) GTEST_SKIP() << "no bpf(2) here: " << std::strerror(errno);
  }
  void compare(const char* name, const std::vector<std::uint64_t>& trace, std::uint32_t entries, double worse = 2.0) {
    OwnedFd kernel = kernel_lru(entries);
    ASSERT_GE(kernel.get(), 0);
    test::LruUnderTest ours(entries);
    const double theirs_share = share(trace, [&](std::uint64_t key) { return kernel_access(kernel.get(), key); });
    const double ours_share = share(trace, [&](std::uint64_t key) { return ours.access(key); });
    std::printf("%-24s %6u entries: kernel %6.2f %%, here %6.2f %%\n", name, entries, theirs_share, ours_share);
    RecordProperty(name, std::to_string(ours_share - theirs_share));
    EXPECT_GE(ours_share, theirs_share - worse) << name;
  }
  std::mt19937_64 random{42};
};

TEST_F(LruNativeTest, ZipfHitsAsOftenAsTheKernels) {
  for (const double skew : {0.8, 1.0, 1.2}) compare("zipf", zipf(120000, 20000, skew, random), 2000);
}

TEST_F(LruNativeTest, ScansDisturbNoMoreThanTheKernels) {
  compare("zipf with scans", with_scans(zipf(80000, 20000, 1.0, random), 1000, 500), 2000);
}

TEST_F(LruNativeTest, WhatWasPopularMakesRoom) {
  auto trace = zipf(120000, 20000, 1.0, random);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i] += i / 10000 * 500;
  // The kernel's half of unproven elements learns faster than our quarter: about 3 points (docs/maps.md).
  compare("zipf that moves", trace, 2000, 5.0);
}

TEST_F(LruNativeTest, LoopsLargerThanTheMap) {
  std::vector<std::uint64_t> trace(60000);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i] = i % 2500;
  compare("loop", trace, 2000);
}

}  // namespace
}  // namespace ring3
