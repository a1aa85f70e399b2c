#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <random>
#include <thread>

#include "base/fault_point.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

struct Ip {
  std::uint32_t bits;
  std::uint8_t at[4];
  bool operator==(const Ip&) const = default;
};

MapSpec trie(std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags = BPF_F_NO_PREALLOC) {
  return spec(BPF_MAP_TYPE_LPM_TRIE, key, value, entries, flags);
}

// Errnos as Linux answers them to the same calls.
TEST(LpmTrieTest, AttributesAreChecked) {
  FakeHost host;
  EXPECT_EQ(create_errno(host, trie(8, 4, 2)), 0);
  EXPECT_EQ(create_errno(host, trie(8, 4, 2, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, trie(4, 4, 2)), EINVAL);
  EXPECT_EQ(create_errno(host, trie(5, 4, 2)), 0);
  EXPECT_EQ(create_errno(host, trie(260, 4, 2)), 0);
  EXPECT_EQ(create_errno(host, trie(261, 4, 2)), EINVAL);
  EXPECT_EQ(create_errno(host, trie(8, 0, 2)), EINVAL);
  EXPECT_EQ(create_errno(host, trie(8, 4, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, trie(8, 4 << 20, 2)), EINVAL);
  EXPECT_EQ(create_errno(host, trie(8, 4, 2, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE)), 0);
  EXPECT_EQ(create_errno(host, trie(8, 4, 2, BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED)), EINVAL);
}

TEST(LpmTrieTest, LongestPrefixWins) {
  FakeHost host;
  auto m = make(host, trie(8, 4, 8)).value();
  std::uint32_t v = 0;
  EXPECT_EQ(update(*m, Ip{0, {}}, 1u), 0);
  EXPECT_EQ(update(*m, Ip{16, {192, 168}}, 2u), 0);
  EXPECT_EQ(update(*m, Ip{24, {192, 168, 1}}, 3u), 0);
  EXPECT_EQ(update(*m, Ip{32, {192, 168, 1, 7}}, 4u), 0);
  const auto of = [&](Ip ip) { return lookup(*m, ip, v) == 0 ? v : 0u; };
  EXPECT_EQ(of({32, {10, 0, 0, 1}}), 1u);
  EXPECT_EQ(of({32, {192, 168, 2, 1}}), 2u);
  EXPECT_EQ(of({32, {192, 168, 1, 1}}), 3u);
  EXPECT_EQ(of({32, {192, 168, 1, 7}}), 4u);
  EXPECT_EQ(of({20, {192, 168, 1, 7}}), 2u) << "a shorter key is matched by prefixes no longer than itself";
  EXPECT_EQ(of({24, {192, 168, 1, 7}}), 3u);
  EXPECT_EQ(of({33, {192, 168, 1, 7}}), 0u);
  EXPECT_EQ(erase(*m, Ip{0, {}}), 0);
  EXPECT_EQ(lookup(*m, Ip{32, {10, 0, 0, 1}}, v), ENOENT);
}

TEST(LpmTrieTest, FlagsAndErrnos) {
  FakeHost host;
  auto m = make(host, trie(8, 4, 2)).value();
  const Ip too_long{33, {1, 2, 3, 4}}, a{24, {1, 2, 3, 9}}, b{16, {1, 2}}, c{8, {1}};
  std::uint32_t v = 0;
  Ip next{};
  EXPECT_EQ(update(*m, too_long, v), EINVAL);
  EXPECT_EQ(lookup(*m, too_long, v), ENOENT);
  EXPECT_EQ(erase(*m, too_long), EINVAL);
  EXPECT_EQ(code(next_key(*m, bytes(too_long), writable(next))), ENOENT);
  EXPECT_EQ(update(*m, a, v, BPF_EXIST), ENOENT);
  EXPECT_EQ(update(*m, a, v, BPF_NOEXIST), 0);
  EXPECT_EQ(update(*m, a, v, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(update(*m, a, v, 3), EINVAL);
  EXPECT_EQ(update(*m, a, v, BPF_F_LOCK), EINVAL);
  EXPECT_EQ(update(*m, b, v), 0);
  EXPECT_EQ(update(*m, c, v), ENOSPC);
  EXPECT_EQ(update(*m, a, v, BPF_EXIST), 0) << "an existing prefix needs no room";
  EXPECT_EQ(code(next_key(*m, bytes(too_long), writable(next))), 0);
  EXPECT_EQ(next.bits, 24u);
  EXPECT_EQ(next.at[3], 9) << "bits behind the prefix are kept as they came";
  EXPECT_EQ(erase(*m, c), ENOENT);
  EXPECT_EQ(erase(*m, Ip{12, {1, 2}}), ENOENT) << "the prefix of no entry";
  EXPECT_EQ(code(lookup_and_delete_elem(*m, bytes(a), writable(v), 0)), 524);
}

TEST(LpmTrieTest, WalkGoesFromLongToShort) {
  FakeHost host;
  auto m = make(host, trie(8, 4, 8)).value();
  const Ip all[] = {{24, {192, 168, 0}}, {24, {192, 168, 1}}, {24, {192, 168, 128}}, {16, {192, 168}}, {0, {}}};
  for (const int i : {3, 0, 4, 2, 1}) EXPECT_EQ(update(*m, all[i], 0u), 0);
  EXPECT_EQ(keys<Ip>(*m), std::vector<Ip>(std::begin(all), std::end(all)));
}

// What programs whose map is known call: the address of the trie built in, then the function.
TEST(LpmTrieTest, DirectLookupsFindTheSame) {
  FakeHost host;
  for (const std::uint32_t bytes : {4u, 7u, 8u, 16u, 20u}) {
    auto m = make(host, trie(4 + bytes, 8, 8)).value();
    InlineCode code;
    m->ops().codegen.lookup(*m, code);
    ASSERT_EQ(code.functions.size(), 1u);
    ASSERT_EQ(code.insns.size(), 3u);
    const auto low = static_cast<std::uint64_t>(code.insns[0].imm);
    alignas(16) std::byte no_run[16];  // it does not look at the run
    struct Key {
      std::uint32_t bits;
      std::uint8_t at[20];
    } key{8 * bytes - 4, {1, 2, 3, 4}};
    const std::uint64_t value = 7;
    ASSERT_EQ(m->ops().data.update(*m, &key, &value, 0), 0);
    for (const std::uint32_t bits : {8 * bytes - 5, 8 * bytes - 4, 8 * bytes, 8 * bytes + 1}) {
      key.bits = bits;
      rcu::ReadSection section;
      const void* usual = m->ops().data.lookup(*m, &key);
      EXPECT_EQ(usual != nullptr, bits == 8 * bytes - 4 || bits == 8 * bytes);
      EXPECT_EQ(code.functions[0](low, reinterpret_cast<std::uintptr_t>(&key), 0, 0, 0, reinterpret_cast<exec::RunContext&>(no_run)),
                reinterpret_cast<std::uintptr_t>(usual));
    }
  }
}

/// Every answer compared with a table that is searched from end to end.
template <std::uint32_t kBytes>
void compare_with_table(std::uint64_t seed, int steps, std::uint8_t byte_mask) {
  struct [[gnu::packed]] Key {
    std::uint32_t bits;
    std::uint8_t at[kBytes];
  };
  static_assert(sizeof(Key) == 4 + kBytes);
  FakeHost host;
  auto m = make(host, trie(4 + kBytes, 8, 300)).value();
  std::map<std::pair<std::uint32_t, std::vector<bool>>, std::uint64_t> table;
  std::mt19937_64 random(seed);
  const auto bits_of = [](const Key& k, std::uint32_t n) {
    std::vector<bool> v(n);
    for (std::uint32_t i = 0; i < n; ++i) v[i] = (k.at[i / 8] >> (7 - i % 8) & 1) != 0;
    return v;
  };
  const auto pick = [&] {
    Key k{};
    k.bits = static_cast<std::uint32_t>(random() % (kBytes * 8 + 1));
    // Few different bytes, so that prefixes nest and part everywhere.
    for (auto& b : k.at) b = static_cast<std::uint8_t>(random() & byte_mask);
    return k;
  };
  for (int step = 0; step < steps; ++step) {
    const Key k = pick();
    const auto id = std::pair{k.bits, bits_of(k, k.bits)};
    if (step % 3 != 2) {
      const std::uint64_t value = random();
      const int expected = table.contains(id) || table.size() < 300 ? 0 : ENOSPC;
      ASSERT_EQ(update(*m, k, value), expected);
      if (expected == 0) table[id] = value;
    } else {
      ASSERT_EQ(erase(*m, k), table.erase(id) ? 0 : ENOENT);
    }
    const Key asked = pick();
    const std::uint64_t* best = nullptr;
    for (std::uint32_t n = asked.bits + 1; n-- > 0 && !best;)
      if (auto it = table.find({n, bits_of(asked, n)}); it != table.end()) best = &it->second;
    std::uint64_t got = 0;
    ASSERT_EQ(lookup(*m, asked, got), best ? 0 : ENOENT);
    if (best) {
      ASSERT_EQ(got, *best);
    }
    if (step % 100 == 0) {
      const auto walked = keys<Key>(*m);
      ASSERT_EQ(walked.size(), table.size());
      for (std::size_t i = 0; i < walked.size(); ++i)
        for (std::size_t j = i + 1; j < walked.size(); ++j)
          ASSERT_FALSE(walked[j].bits > walked[i].bits &&
                       bits_of(walked[j], walked[i].bits) == bits_of(walked[i], walked[i].bits))
              << "a prefix comes after those inside it";
    }
  }
  // Empty again: nothing stays behind (the sanitizers look at the nodes).
  for (const Key& k : keys<Key>(*m)) ASSERT_EQ(erase(*m, k), 0);
  EXPECT_TRUE(keys<Key>(*m).empty());
  EXPECT_EQ(update(*m, Key{}, std::uint64_t{1}), 0);
}

TEST(LpmTrieTest, AgreesWithATable) {
  compare_with_table<1>(1, 3000, 0xff);
  compare_with_table<4>(2, 3000, 0x81);
  compare_with_table<8>(3, 1500, 0x01);
  compare_with_table<16>(4, 1500, 0x80);
  compare_with_table<21>(5, 1000, 0x03);
}

TEST(LpmTrieTest, LongKeysMatchToTheLastBit) {
  FakeHost host;
  struct Key {
    std::uint32_t bits;
    std::uint8_t at[256];
  };
  auto m = make(host, trie(sizeof(Key), 4, 4)).value();
  Key a{2048, {}}, b{2047, {}};
  a.at[255] = 1;
  EXPECT_EQ(update(*m, a, 1u), 0);
  EXPECT_EQ(update(*m, b, 2u), 0);
  std::uint32_t v = 0;
  EXPECT_EQ(lookup(*m, a, v), 0);
  EXPECT_EQ(v, 1u);
  a.at[255] = 0;
  EXPECT_EQ(lookup(*m, a, v), 0);
  EXPECT_EQ(v, 2u);
}

TEST(LpmTrieTest, FailingAllocationsChangeNothing) {
  FakeHost host;
  auto m = make(host, trie(8, 4, 8)).value();
  EXPECT_EQ(update(*m, Ip{32, {1, 2, 3, 4}}, 1u), 0);
  for (std::int64_t nth = 0; nth < 10; ++nth) {
    FaultInjection fault(nth);
    const int e = update(*m, Ip{32, {1, 2, 3, 5}}, 2u);
    if (!fault.fired()) {
      EXPECT_EQ(e, 0);
      EXPECT_EQ(nth, 2) << "a node and the fork it needs";
      break;
    }
    EXPECT_EQ(e, ENOMEM);
    EXPECT_EQ(keys<Ip>(*m).size(), 1u);
  }
}

TEST(LpmTrieStressTest, ReadersAlwaysSeeACoveringPrefix) {
  FakeHost host;
  auto m = make(host, trie(8, 8, 4096)).value();
  // The value says which prefix it belongs to; the default route is always there.
  EXPECT_EQ(update(*m, Ip{0, {}}, std::uint64_t{0}), 0);
  std::atomic<int> writers{2};
  std::vector<std::thread> threads;
  for (std::uint32_t w = 0; w < 2; ++w)
    threads.emplace_back([&, w] {
      std::mt19937 random(w);
      for (int i = 0; i < 4000; ++i) {
        Ip ip{static_cast<std::uint32_t>(8 + random() % 25), {10, static_cast<std::uint8_t>(random() & 3), static_cast<std::uint8_t>(random() & 3), 0}};
        if (i % 2) {
          const std::uint64_t value = (std::uint64_t{ip.bits} << 32) | std::uint32_t{ip.at[1]} << 8 | ip.at[2];
          EXPECT_EQ(m->ops().data.update(*m, &ip, &value, 0), 0);
        } else {
          const long e = m->ops().data.erase(*m, &ip);
          EXPECT_TRUE(e == 0 || e == -ENOENT);
        }
      }
      --writers;
    });
  for (int r = 0; r < 2; ++r)
    threads.emplace_back([&, r] {
      std::mt19937 random(static_cast<unsigned>(100 + r));
      while (writers != 0) {
        Ip ip{32, {10, static_cast<std::uint8_t>(random() & 3), static_cast<std::uint8_t>(random() & 3), 0}};
        rcu::ReadSection section;
        const auto* value = find<std::uint64_t>(*m, ip);
        ASSERT_NE(value, nullptr);
        const std::uint64_t v = *value;
        const auto bits = static_cast<std::uint32_t>(v >> 32);
        const std::uint32_t mine = std::uint32_t{ip.at[1]} << 16 | std::uint32_t{ip.at[2]} << 8;
        const auto theirs = static_cast<std::uint32_t>(v & 0xffff) << 8;
        if (bits > 8) {
          EXPECT_EQ((mine ^ theirs) >> (32 - bits), 0u) << bits;
        }
      }
    });
  for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace ring3::maps
