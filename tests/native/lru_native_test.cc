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

/// Which of the LRU kinds, and what only the kernel's side is made with.
struct Form {
  const char* name = "lru_hash";
  bpf_map_type type = BPF_MAP_TYPE_LRU_HASH;
  std::uint32_t flags = 0;
  std::uint32_t kernel_times = 1;  // so many times the entries
};

class KernelLru {
 public:
  KernelLru(const Form& form, std::uint32_t entries) : values_(1024) {
    bpf_attr attr{};
    attr.map_type = form.type;
    attr.key_size = attr.value_size = 8;
    attr.max_entries = entries * form.kernel_times;
    attr.map_flags = form.flags;
    fd_ = OwnedFd(static_cast<int>(kernel_bpf(BPF_MAP_CREATE, attr)));
  }
  bool works() const { return fd_.get() >= 0; }

  /// Is the key there? Then it is used again, else it comes in: an update is what counts as use for a client.
  bool access(std::uint64_t key) {
    bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(fd_.get());
    attr.key = reinterpret_cast<std::uint64_t>(&key);
    attr.value = reinterpret_cast<std::uint64_t>(values_.data());
    const bool hit = kernel_bpf(BPF_MAP_LOOKUP_ELEM, attr) == 0;
    kernel_bpf(BPF_MAP_UPDATE_ELEM, attr);
    return hit;
  }

 private:
  OwnedFd fd_;
  std::vector<std::uint64_t> values_;  // room for every CPU's
};

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
    if (!KernelLru({}, 16).works()) GTEST_SKIP() << "no bpf(2) here: " << std::strerror(errno);
  }
  /// The share of keys that were found is the kernel's within 2 points.
  void compare(const char* name, const std::vector<std::uint64_t>& trace, std::uint32_t entries, const Form& form = {}) {
    KernelLru kernel(form, entries);
    ASSERT_TRUE(kernel.works());
    test::LruUnderTest ours(form.type, entries, form.flags);
    const double theirs_share = share(trace, [&](std::uint64_t key) { return kernel.access(key); });
    const double ours_share = share(trace, [&](std::uint64_t key) { return ours.access(key); });
    std::printf("%-18s %-24s %6u entries: kernel %6.2f %%, here %6.2f %%\n", form.name, name, entries, theirs_share, ours_share);
    RecordProperty(name, std::to_string(ours_share - theirs_share));
    EXPECT_NEAR(ours_share, theirs_share, 2.0) << form.name << ", " << name;
  }
  std::vector<std::uint64_t> moving(double skew, std::size_t every, std::uint64_t by) {
    auto trace = zipf(120000, 20000, skew, random);
    for (std::size_t i = 0; i < trace.size(); ++i) trace[i] += i / every * by;
    return trace;
  }
  std::mt19937_64 random{42};
};

TEST_F(LruNativeTest, ZipfHitsAsOftenAsTheKernels) {
  for (const double skew : {0.8, 1.0, 1.2}) compare("zipf", zipf(120000, 20000, skew, random), 2000);
}

TEST_F(LruNativeTest, ScansDisturbAsMuchAsTheKernels) {
  compare("zipf with scans", with_scans(zipf(80000, 20000, 1.0, random), 1000, 500), 2000);
}

TEST_F(LruNativeTest, WhatWasPopularMakesRoom) {
  compare("zipf that moves", moving(1.0, 10000, 500), 2000);
  compare("zipf that moves faster", moving(1.0, 5000, 500), 2000);
  compare("flat zipf that moves", moving(0.8, 10000, 500), 2000);
}

TEST_F(LruNativeTest, LoopsLargerThanTheMap) {
  std::vector<std::uint64_t> trace(60000);
  for (std::size_t i = 0; i < trace.size(); ++i) trace[i] = i % 2500;
  compare("loop", trace, 2000);
}

TEST_F(LruNativeTest, OtherSizes) {
  compare("zipf", zipf(120000, 20000, 1.0, random), 1000);
  compare("zipf", zipf(120000, 20000, 1.0, random), 8000);
}

TEST_F(LruNativeTest, PerCpuValues) {
  const Form form{"lru_percpu_hash", BPF_MAP_TYPE_LRU_PERCPU_HASH};
  compare("zipf", zipf(60000, 20000, 1.0, random), 2000, form);
  compare("zipf that moves", moving(1.0, 10000, 500), 2000, form);
}

TEST_F(LruNativeTest, ListsOfTheirOwn) {
  // There each CPU has its share of the elements, here every thread all of them: the kernel's side is made so large that the
  // share of this thread's CPU is as many.
  const auto cpus = static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_CONF));
  for (const bpf_map_type type : {BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH}) {
    const Form form{type == BPF_MAP_TYPE_LRU_HASH ? "lru, no common" : "percpu, no common", type, BPF_F_NO_COMMON_LRU, cpus};
    compare("zipf", zipf(120000, 20000, 1.0, random), 2000, form);
    compare("zipf that moves", moving(1.0, 10000, 500), 2000, form);
  }
}

}  // namespace
}  // namespace ring3
