#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <numeric>
#include <set>
#include <thread>

#include "base/fault_point.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

TEST(HashTest, AttributesAreChecked) {
  FakeHost host;
  const auto type = BPF_MAP_TYPE_HASH;
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 0, 8, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 0, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_NO_COMMON_LRU)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_MMAPABLE)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(type, 4, 4 << 20, 1)), E2BIG);
  EXPECT_EQ(create_errno(host, spec(type, 4, 8, 1, BPF_F_NUMA_NODE | BPF_F_ZERO_SEED)), 0);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 1, BPF_F_NUMA_NODE)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PERCPU_HASH, 4, 32769, 1)), E2BIG);
}

// The same behaviour with and without preallocation.
class HashFlavour : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  FakeHost host;
};
INSTANTIATE_TEST_SUITE_P(HashTest, HashFlavour, ::testing::Values(0u, std::uint32_t{BPF_F_NO_PREALLOC}));

TEST_P(HashFlavour, UpdateFlagsAndErrnos) {
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 2, GetParam())).value();
  std::uint32_t a = 1, b = 2, c = 3;
  std::uint64_t v = 10, out = 0;
  EXPECT_EQ(lookup(*m, a, out), ENOENT);
  EXPECT_EQ(update(*m, a, v, BPF_EXIST), ENOENT);
  EXPECT_EQ(update(*m, a, v, BPF_NOEXIST), 0);
  EXPECT_EQ(update(*m, a, v, BPF_NOEXIST), EEXIST);
  v = 11;
  EXPECT_EQ(update(*m, a, v, BPF_EXIST), 0);
  EXPECT_EQ(update(*m, a, v, 3), EINVAL);
  EXPECT_EQ(update(*m, a, v, 8), EINVAL);
  EXPECT_EQ(update(*m, b, v), 0);
  EXPECT_EQ(update(*m, c, v), E2BIG);
  v = 12;
  EXPECT_EQ(update(*m, b, v), 0) << "an existing key is updated in a full map";
  EXPECT_EQ(lookup(*m, a, out), 0);
  EXPECT_EQ(out, 11u);
  EXPECT_EQ(lookup(*m, b, out), 0);
  EXPECT_EQ(out, 12u);
  EXPECT_EQ(erase(*m, c), ENOENT);
  EXPECT_EQ(erase(*m, a), 0);
  EXPECT_EQ(erase(*m, a), ENOENT);
  EXPECT_EQ(update(*m, c, v), 0);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, bytes(c), writable(out), 0)), 0);
  EXPECT_EQ(out, 12u);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, bytes(c), writable(out), 0)), ENOENT);
}

TEST_P(HashFlavour, ProgramSide) {
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 1, GetParam())).value();
  rcu::ReadSection section;
  const DataOps& ops = m->ops().data;
  std::uint32_t a = 1, b = 2;
  std::uint64_t v = 10;
  EXPECT_EQ(ops.lookup(*m, &a), nullptr);
  EXPECT_EQ(ops.update(*m, &a, &v, BPF_ANY), 0);
  EXPECT_EQ(ops.update(*m, &b, &v, BPF_ANY), -E2BIG);
  EXPECT_EQ(ops.update(*m, &a, &v, BPF_NOEXIST), -EEXIST);
  EXPECT_EQ(ops.update(*m, &b, &v, BPF_EXIST), -ENOENT);
  EXPECT_EQ(ops.update(*m, &b, &v, 99), -EINVAL);
  auto* p = find<std::uint64_t>(*m, a);
  ASSERT_NE(p, nullptr);
  *p = 20;
  EXPECT_EQ(*find<std::uint64_t>(*m, a), 20u);
  EXPECT_EQ(ops.erase(*m, &a), 0);
  EXPECT_EQ(ops.erase(*m, &a), -ENOENT);
}

TEST_P(HashFlavour, AllKeySizes) {
  for (std::uint32_t size : {1u, 2u, 3u, 4u, 5u, 7u, 8u, 9u, 12u, 15u, 16u, 17u, 31u, 64u, 100u, 513u}) {
    auto m = make(host, spec(BPF_MAP_TYPE_HASH, size, 8, 100, GetParam())).value();
    NoFds fds;
    std::vector<std::byte> key(size);
    const std::uint8_t n = 100;
    for (std::uint8_t i = 0; i < n; ++i) {
      key.back() = static_cast<std::byte>(i);  // differ in the last byte only
      std::uint64_t v = i;
      ASSERT_EQ(code(update_elem(*m, key, bytes(v), 0, fds)), 0) << size;
    }
    for (std::uint8_t i = 0; i < n; ++i) {
      key.back() = static_cast<std::byte>(i);
      std::uint64_t v = 0;
      ASSERT_EQ(code(lookup_elem(*m, key, writable(v), 0)), 0) << size;
      ASSERT_EQ(v, i);
    }
    key.back() = static_cast<std::byte>(n);
    std::uint64_t v = 0;
    EXPECT_EQ(code(lookup_elem(*m, key, writable(v), 0)), ENOENT);
  }
}

TEST_P(HashFlavour, WalkMeetsEveryKeyOnce) {
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 4, 1000, GetParam())).value();
  for (std::uint32_t k = 0; k < 1000; ++k) ASSERT_EQ(update(*m, k, k), 0);
  auto all = keys<std::uint32_t>(*m);
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(std::set<std::uint32_t>(all.begin(), all.end()).size(), 1000u);
  // The same order again; a key that is gone starts from the first.
  EXPECT_EQ(keys<std::uint32_t>(*m), all);
  EXPECT_EQ(erase(*m, all[500]), 0);
  std::uint32_t next = 0;
  EXPECT_EQ(code(next_key(*m, bytes(all[500]), writable(next))), 0);
  EXPECT_EQ(next, all[0]);
  EXPECT_EQ(code(next_key(*m, bytes(all.back()), writable(next))), ENOENT);
  for (std::uint32_t k : all)
    if (k != all[500]) {
      ASSERT_EQ(erase(*m, k), 0);
    }
  EXPECT_EQ(code(next_key(*m, {}, writable(next))), ENOENT);
}

TEST_P(HashFlavour, ChurnNeverLosesRoom) {
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 4, 7, GetParam())).value();
  for (std::uint32_t i = 0; i < 5000; ++i) {
    ASSERT_EQ(update(*m, i, i), 0) << i;
    if (i >= 6) {
      ASSERT_EQ(erase(*m, i - 6), 0);
    }
  }
  rcu::drain();
}

struct Visit {
  Map* map;
  std::vector<std::uint32_t> keys;
  bool erase = false;
  std::size_t stop_at = 1u << 30;
};
std::uint64_t visit(const void* key, void* value, void* data) {
  auto* v = static_cast<Visit*>(data);
  std::uint32_t k;
  std::memcpy(&k, key, sizeof k);
  EXPECT_EQ(*static_cast<std::uint32_t*>(value), k);
  v->keys.push_back(k);
  if (v->erase) {
    EXPECT_EQ(v->map->ops().data.erase(*v->map, &k), 0);
  }
  return v->keys.size() >= v->stop_at;
}

TEST_P(HashFlavour, ForEachMayDeleteWhatItVisits) {
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 4, 300, GetParam())).value();
  for (std::uint32_t k = 0; k < 300; ++k) ASSERT_EQ(update(*m, k, k), 0);
  Visit ten{.map = m.get(), .keys = {}, .erase = false, .stop_at = 10};
  Visit all{.map = m.get(), .keys = {}, .erase = true};
  {
    rcu::ReadSection section;
    EXPECT_EQ(m->ops().data.for_each(*m, visit, &ten, 0), 10);
    EXPECT_EQ(m->ops().data.for_each(*m, visit, &all, 0), 300);
    EXPECT_EQ(m->ops().data.for_each(*m, visit, &all, 0), 0);
    EXPECT_EQ(m->ops().data.for_each(*m, visit, &all, 4), -EINVAL);
  }
  EXPECT_EQ(std::set<std::uint32_t>(all.keys.begin(), all.keys.end()).size(), 300u);
}

TEST(HashTest, ChainsLongerThanANoteAreVisitedWhole) {
  FakeHost host;
  // One bucket: every key is in one chain.
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 4, 1)).value();
  std::uint32_t k = 5;
  EXPECT_EQ(update(*m, k, k), 0);
  Visit v{.map = m.get(), .keys = {}};
  rcu::ReadSection section;
  EXPECT_EQ(m->ops().data.for_each(*m, visit, &v, 0), 1);
}

TEST(HashTest, UpdateReplacesTheElement) {
  FakeHost host;
  using Value = std::array<std::uint64_t, 2>;
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, sizeof(Value), 4)).value();
  rcu::ReadSection section;
  std::uint32_t k = 1;
  EXPECT_EQ(update(*m, k, Value{1, 1}), 0);
  auto* before = find<Value>(*m, k);
  EXPECT_EQ(update(*m, k, Value{2, 2}), 0);
  EXPECT_NE(find<Value>(*m, k), before);
  EXPECT_EQ(*before, (Value{1, 1})) << "whoever holds the old value still reads it whole";
}

TEST(HashTest, OneWordIsWrittenWhereItIs) {
  FakeHost host;
  for (const std::uint32_t bytes : {1u, 2u, 4u, 8u, 3u, 16u}) {
    auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, bytes, 4)).value();
    std::array<std::byte, 16> value{};
    const std::uint32_t k = 1;
    rcu::ReadSection section;
    ASSERT_EQ(m->ops().data.update(*m, &k, value.data(), 0), 0);
    auto* before = find<std::byte>(*m, k);
    value.fill(std::byte{7});
    ASSERT_EQ(m->ops().data.update(*m, &k, value.data(), BPF_EXIST), 0);
    EXPECT_EQ(find<std::byte>(*m, k) == before, bytes <= 8 && bytes != 3) << bytes;
    EXPECT_EQ(find<std::byte>(*m, k)[bytes - 1], std::byte{7});
  }
}

TEST(HashTest, LockedValueStaysInPlace) {
  FakeHost host;
  struct Value {
    std::uint32_t lock, x;
  };
  auto s = spec(BPF_MAP_TYPE_HASH, 4, sizeof(Value), 4);
  s.fields.fields.push_back({model::FieldKind::kSpinLock, 0, 4, nullptr, 0, 0});
  auto m = make(host, s).value();
  std::uint32_t k = 1;
  Value v{7, 1}, out{};
  EXPECT_EQ(update(*m, k, v, BPF_F_LOCK | BPF_NOEXIST), 0);
  rcu::ReadSection section;
  auto* p = find<Value>(*m, k);
  EXPECT_EQ(p->lock, 0u);
  v.x = 2;
  EXPECT_EQ(update(*m, k, v, BPF_F_LOCK), 0);
  EXPECT_EQ(find<Value>(*m, k), p);
  EXPECT_EQ(lookup(*m, k, out, BPF_F_LOCK), 0);
  EXPECT_EQ(out.x, 2u);
  EXPECT_EQ(out.lock, 0u);
  std::uint32_t missing = 2;
  EXPECT_EQ(lookup(*m, missing, out, BPF_F_LOCK), ENOENT);
}

TEST(HashTest, NoPreallocFailsCleanlyWithoutMemory) {
  FakeHost host;
  using Value = std::array<std::uint64_t, 2>;
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, sizeof(Value), 1, BPF_F_NO_PREALLOC)).value();
  std::uint32_t k = 1;
  Value v{1, 1};
  {
    FaultInjection fault(0);
    EXPECT_EQ(update(*m, k, v), ENOMEM);
  }
  EXPECT_EQ(update(*m, k, v), 0) << "the failed attempt left its place in the count";
  {
    FaultInjection fault(0);
    EXPECT_EQ(update(*m, k, v), ENOMEM);
  }
  EXPECT_EQ(lookup(*m, k, v), 0);
}

TEST(HashTest, PreallocatedNeverAllocatesOnTheRunPath) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 100)).value();
  FaultInjection fault(0);  // would fail the first allocation
  for (std::uint32_t k = 0; k < 100; ++k) {
    std::uint64_t v = k;
    ASSERT_EQ(m->ops().data.update(*m, &k, &v, 0), 0);
    ASSERT_EQ(m->ops().data.update(*m, &k, &v, 0), 0);
  }
  EXPECT_FALSE(fault.fired());
}

/// The order of a walk is the order of the buckets: who does not know the seed cannot choose keys that meet in one.
std::vector<std::uint32_t> walk(FakeHost& host, std::uint32_t flags) {
  constexpr std::uint32_t kKeys = 500;
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, kKeys, flags)).value();
  for (std::uint32_t k = 0; k < kKeys; ++k) {
    std::uint64_t v = k;
    EXPECT_EQ(update(*m, k, v), 0);
  }
  return keys<std::uint32_t>(*m);
}

TEST(HashTest, EveryMapHasASeedUnlessItWantsNone) {
  FakeHost host;
  EXPECT_EQ(walk(host, BPF_F_ZERO_SEED), walk(host, BPF_F_ZERO_SEED));
  EXPECT_NE(walk(host, 0), walk(host, 0));
}

TEST(HashTest, MemoryIsThatOfTheElementsWhereTheyAreMadeOnDemand) {
  FakeHost host;
  auto prealloc = make(host, spec(BPF_MAP_TYPE_HASH, 4, 1000, 100)).value();
  auto on_demand = make(host, spec(BPF_MAP_TYPE_HASH, 4, 1000, 100, BPF_F_NO_PREALLOC)).value();
  const std::uint64_t full = prealloc->memory_bytes(), empty = on_demand->memory_bytes();
  EXPECT_GT(full, 100'000u);
  EXPECT_LT(empty, 100'000u);
  std::array<std::byte, 1000> value{};
  for (std::uint32_t k = 0; k < 50; ++k) {
    EXPECT_EQ(update(*prealloc, k, value), 0);
    EXPECT_EQ(update(*on_demand, k, value), 0);
  }
  EXPECT_EQ(prealloc->memory_bytes(), full);
  EXPECT_GE(on_demand->memory_bytes(), empty + 50'000);
}

class PerCpuHashFlavour : public HashFlavour {};
INSTANTIATE_TEST_SUITE_P(PerCpuHashTest, PerCpuHashFlavour, ::testing::Values(0u, std::uint32_t{BPF_F_NO_PREALLOC}));

TEST_P(PerCpuHashFlavour, CopiesPerSlot) {
  auto m = make(host, spec(BPF_MAP_TYPE_PERCPU_HASH, 4, 12, 2, GetParam())).value();
  ASSERT_EQ(m->value_bytes(), 64u);
  struct Copy {
    std::uint32_t v[4];
  };
  struct All {
    Copy cpu[4];
  } in{}, out{};
  std::uint32_t a = 1, b = 2, c = 3;
  for (std::uint32_t i = 0; i < 4; ++i) in.cpu[i] = {{i, i + 10, i + 20, 99}};
  EXPECT_EQ(update(*m, a, in), 0);
  EXPECT_EQ(update(*m, a, in, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(update(*m, a, in, BPF_F_LOCK), EINVAL);
  rcu::ReadSection section;
  FakeHost::cpu() = 2;
  EXPECT_EQ(find<Copy>(*m, a)->v[1], 12u);
  // A program's insert sets its own copy and zeroes the others, also in a used element.
  EXPECT_EQ(erase(*m, a), 0);
  Copy mine{{5, 6, 7, 0}};
  EXPECT_EQ(m->ops().data.update(*m, &b, &mine, BPF_NOEXIST), 0);
  EXPECT_EQ(lookup(*m, b, out), 0);
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(out.cpu[i].v[0], i == 2 ? 5u : 0u);
    EXPECT_EQ(out.cpu[i].v[3], 0u) << "padding";
  }
  EXPECT_EQ(m->ops().data.lookup_percpu(*m, &b, 2), find<void>(*m, b));
  EXPECT_EQ(m->ops().data.lookup_percpu(*m, &b, 4), nullptr);
  EXPECT_EQ(update(*m, a, in), 0);
  EXPECT_EQ(update(*m, c, in), E2BIG);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, bytes(a), writable(out), 0)), 0);
  EXPECT_EQ(out.cpu[3].v[2], 23u);
  FakeHost::cpu() = 0;
}

// Values carry their key, so that any mixture of elements shows. The pool is small and every element is
// reused all the time, which is what the readers' checks are for.
TEST_P(HashFlavour, StressReadersWritersDeleters) {
  struct Value {
    std::uint64_t word[4];
  };
  struct Key {
    std::uint64_t word[2];
  };
  constexpr std::uint64_t kKeys = 24;
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, sizeof(Key), sizeof(Value), 16, GetParam())).value();
  const auto key_of = [](std::uint64_t i) { return Key{{i, ~i}}; };
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> hits{0};
  // This key is only ever updated, never deleted: it must always be found.
  const Key always = key_of(kKeys);
  ASSERT_EQ(update(*m, always, Value{{kKeys, kKeys, 0, 0}}), 0);
  std::vector<std::thread> readers, writers;
  for (int r = 0; r < 2; ++r)
    readers.emplace_back([&, r] {
      for (std::uint64_t i = static_cast<std::uint64_t>(r); !stop.load(std::memory_order_relaxed); ++i) {
        const Key k = key_of(i % kKeys);
        Value v{};
        if (lookup(*m, k, v) == 0) {
          EXPECT_EQ(v.word[0], i % kKeys);
          EXPECT_EQ(v.word[1], i % kKeys);
          EXPECT_EQ(v.word[2], v.word[3]);
          hits.fetch_add(1, std::memory_order_relaxed);
        }
        rcu::ReadSection section;
        EXPECT_NE(m->ops().data.lookup(*m, &always), nullptr);
      }
    });
  for (std::uint64_t w = 0; w < 2; ++w)
    writers.emplace_back([&, w] {
      for (std::uint64_t i = 0; i < 6000 || hits.load(std::memory_order_relaxed) == 0; ++i) {
        const std::uint64_t n = (i * 7 + w) % kKeys;
        const Key k = key_of(n);
        switch (i % 3) {
          case 0:
          case 1: {
            const int e = update(*m, k, Value{{n, n, i, i}});
            EXPECT_TRUE(e == 0 || e == E2BIG) << e;
            EXPECT_EQ(update(*m, always, Value{{kKeys, kKeys, i, i}}, BPF_EXIST), 0);
            break;
          }
          case 2: {
            rcu::ReadSection section;
            const long e = m->ops().data.erase(*m, &k);
            EXPECT_TRUE(e == 0 || e == -ENOENT);
            break;
          }
        }
      }
    });
  for (auto& t : writers) t.join();
  stop = true;
  for (auto& t : readers) t.join();
  auto all = keys<Key>(*m);
  EXPECT_LE(all.size(), 16u);
  for (const Key& k : all) EXPECT_EQ(erase(*m, k), 0);
  for (std::uint64_t i = 0; i < 16; ++i) EXPECT_EQ(update(*m, key_of(i), Value{{i, i, 0, 0}}), 0) << "no place was lost";
  EXPECT_EQ(update(*m, always, Value{}), E2BIG);
}

TEST_P(HashFlavour, StressWalkAgainstChange) {
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 4, 64, GetParam())).value();
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint32_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
      const std::uint32_t k = i % 128;
      if (i % 2)
        update(*m, k, k);
      else
        erase(*m, k);
    }
  });
  for (int i = 0; i < 50; ++i) {
    std::uint32_t key = 0;
    auto r = next_key(*m, {}, writable(key));
    for (int steps = 0; r.ok() && steps < 300; ++steps) {
      EXPECT_LT(key, 128u);
      std::uint32_t next = 0;
      r = next_key(*m, bytes(key), writable(next));
      key = next;
    }
    rcu::ReadSection section;
    const auto check = [](const void* k, void*, void*) -> std::uint64_t {
      std::uint32_t seen = __atomic_load_n(static_cast<const std::uint32_t*>(k), __ATOMIC_RELAXED);
      EXPECT_LT(seen, 128u);
      return 0;
    };
    EXPECT_GE(m->ops().data.for_each(*m, check, nullptr, 0), 0);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace ring3::maps
