#include "maps/memory_account.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/fault_point.h"
#include "maps/allocated_type.h"
#include "maps/arena.h"
#include "maps/map_memory.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;

TEST(MemoryAccountTest, CountsWithoutALimit) {
  MemoryAccount account;
  EXPECT_TRUE(account.charge(100));
  EXPECT_TRUE(account.charge(std::uint64_t{1} << 40));
  EXPECT_EQ(account.held(), 100 + (std::uint64_t{1} << 40));
  EXPECT_FALSE(account.tight());
  EXPECT_FALSE(account.charge(UINT64_MAX - 50)) << "more than there are numbers";
  account.give_back(100);
  account.give_back(std::uint64_t{1} << 40);
  EXPECT_EQ(account.held(), 0u);
}

TEST(MemoryAccountTest, FillsToTheLastByteAndNoFurther) {
  MemoryAccount account(1000 * 100);
  int fit = 0;
  while (account.charge(100)) ++fit;
  EXPECT_EQ(fit, 1000);
  EXPECT_EQ(account.held(), 100000u);
  EXPECT_EQ(account.refused(), 1u);
  EXPECT_TRUE(account.tight());
  account.give_back(100);
  EXPECT_TRUE(account.charge(100));
  EXPECT_FALSE(account.charge(1));
}

TEST(MemoryAccountTest, CreditOfOtherThreadsIsCalledBack) {
  MemoryAccount account(1 << 20);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back([&] { EXPECT_TRUE(account.charge(1)); });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(account.held(), 8u);
  EXPECT_TRUE(account.charge((1 << 20) - 8)) << "what the threads took beforehand was in the way";
  EXPECT_FALSE(account.charge(1));
}

TEST(MemoryAccountTest, ThreadsChargeAndGiveBack) {
  MemoryAccount account(4 << 20);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&account, i] {
      for (int round = 0; round < 20000; ++round) {
        const std::uint64_t bytes = 1 + static_cast<std::uint64_t>((round * 37 + i) % (round % 100 == 0 ? 100000 : 500));
        if (account.charge(bytes)) account.give_back(bytes);
      }
    });
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(account.held(), 0u);
  EXPECT_EQ(account.refused(), 0u);
}

class LimitedHost : public MapHost {
 public:
  explicit LimitedHost(std::uint64_t bytes) : MapHost(bytes) {}
  ~LimitedHost() { rcu::drain(); }
  ObjectTable& objects() override { return table; }
  std::uint32_t possible_cpus() const override { return 2; }
  std::uint32_t current_cpu() const override { return 0; }
  Result<void> check_prog_array_entry(Map&, Object&) override { return {}; }
  Result<Ref<Map>> make(std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t max, std::uint32_t flags = 0) {
    return create_map(kinds, spec(type, key, value, max, flags), *this, log);
  }
  std::uint64_t held_when_settled() {
    rcu::drain();
    return memory().held();
  }

  ObjectTable table;
  MapKinds kinds;
  StringSink log;
};

constexpr std::uint32_t kNoPrealloc = uapi::BPF_F_NO_PREALLOC;

TEST(MapMemoryLimit, CreationSaysWhatDoesNotFit) {
  LimitedHost host(1 << 20);
  auto big = host.make(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1 << 20);
  EXPECT_EQ(big.error(), Errno::kTooBig);
  EXPECT_NE(host.log.text().find("array map 'm' needs 8388608 bytes, all maps of this host together may hold 1048576"), std::string::npos)
      << host.log.text();
  auto first = host.make(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 100000);
  ASSERT_TRUE(first.ok());
  const std::uint64_t held = host.memory().held();
  EXPECT_GE(held, 800000u);
  for (const std::uint32_t type : {uapi::BPF_MAP_TYPE_ARRAY, uapi::BPF_MAP_TYPE_PERCPU_ARRAY, uapi::BPF_MAP_TYPE_QUEUE})
    EXPECT_EQ(host.make(type, type == uapi::BPF_MAP_TYPE_QUEUE ? 0 : 4, 8, 60000).error(), Errno::kNoMem) << type;
  EXPECT_EQ(host.make(uapi::BPF_MAP_TYPE_HASH, 8, 8, 20000).error(), Errno::kNoMem);
  EXPECT_EQ(host.make(uapi::BPF_MAP_TYPE_LRU_HASH, 8, 8, 8000).error(), Errno::kNoMem) << "buckets and headers count";
  EXPECT_EQ(host.make(uapi::BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 18).error(), Errno::kNoMem);
  EXPECT_EQ(host.make(uapi::BPF_MAP_TYPE_STACK_TRACE, 4, 8 * 127, 256).error(), Errno::kNoMem);
  EXPECT_NE(host.log.text().find("and hold " + std::to_string(held)), std::string::npos) << host.log.text();
  EXPECT_EQ(host.held_when_settled(), held) << "what was refused holds nothing";
  first.value() = nullptr;
  EXPECT_EQ(host.held_when_settled(), 0u);
  EXPECT_TRUE(host.make(uapi::BPF_MAP_TYPE_RINGBUF, 0, 0, 1 << 18).ok());
}

/// Inserts until it is refused; how many went in.
std::uint64_t fill(Map& map, int refusal) {
  std::uint64_t key = 0;
  int code = 0;
  while ((code = update(map, key, key)) == 0) ++key;
  EXPECT_EQ(code, refusal);
  return key;
}

TEST(MapMemoryLimit, ElementsThatComeLaterCount) {
  LimitedHost host(1 << 20);
  Ref<Map> hash = host.make(uapi::BPF_MAP_TYPE_HASH, 8, 8, 1000000, kNoPrealloc).value_or(nullptr);
  EXPECT_FALSE(hash) << "buckets are made with the map";
  hash = host.make(uapi::BPF_MAP_TYPE_HASH, 8, 8, 10000, kNoPrealloc).value();
  const std::uint64_t empty = host.memory().held();
  const std::uint64_t many = fill(*hash, ENOMEM);
  EXPECT_GT(many, 5000u);
  EXPECT_LT(host.memory().limit() - host.memory().held(), 200u);
  EXPECT_EQ(host.memory().held(), hash->memory_bytes()) << "what info says is what is charged";
  EXPECT_NE(memory_text(*hash).find("hash map 'm'"), std::string::npos);
  EXPECT_EQ(update(*hash, std::uint64_t{5}, std::uint64_t{6}), 0) << "one word changes in place";
  // What goes makes room, at once where the map keeps it, else after readers.
  for (std::uint64_t key = 0; key < many / 2; ++key) ASSERT_EQ(erase(*hash, key), 0);
  rcu::drain();
  for (std::uint64_t key = 0; key < many / 2; ++key) ASSERT_EQ(update(*hash, key, key), 0) << key;
  EXPECT_EQ(update(*hash, std::uint64_t{1} << 40, std::uint64_t{0}), ENOMEM);
  for (std::uint64_t key = 0; key < many; ++key) ASSERT_EQ(erase(*hash, key), 0);
  EXPECT_LE(host.held_when_settled() - empty, 64u * 4096) << "a shard keeps a few";
  hash = nullptr;
  EXPECT_EQ(host.held_when_settled(), 0u);
}

TEST(MapMemoryLimit, AFullMapIsStillTooBig) {
  LimitedHost host(1 << 20);
  const Ref<Map> hash = host.make(uapi::BPF_MAP_TYPE_HASH, 8, 8, 100, kNoPrealloc).value();
  EXPECT_EQ(fill(*hash, E2BIG), 100u);
}

TEST(MapMemoryLimit, WhatOneShardKeptServesAnother) {
  LimitedHost host(64 << 10);
  const Ref<Map> hash = host.make(uapi::BPF_MAP_TYPE_HASH, 8, 64, 256, kNoPrealloc).value();
  struct Value {
    std::uint64_t words[8];
  };
  std::uint64_t many = 0;
  while (update(*hash, many, Value{}) == 0 && many < 256) ++many;
  EXPECT_GT(many, 50u);
  // Half full, so that elements are kept; then other keys, which are of other shards.
  for (std::uint64_t key = 0; key < many; ++key) ASSERT_EQ(erase(*hash, key), 0);
  rcu::drain();
  std::uint64_t again = 0;
  while (update(*hash, again + 1000, Value{}) == 0 && again < 256) ++again;
  EXPECT_EQ(again, many);
}

/// The n-th address, whole.
std::uint64_t prefix(std::uint64_t n) {
  return 32 | std::uint64_t{__builtin_bswap32(static_cast<std::uint32_t>(n))} << 32;
}

/// Inserts addresses until there is no memory; how many went in.
std::uint64_t fill_trie(Map& trie) {
  std::uint64_t n = 0;
  while (update(trie, prefix(n), n) == 0) ++n;
  EXPECT_EQ(update(trie, prefix(n), n), ENOMEM);
  return n;
}

/// Nodes that left wait for others to go through a grace period with, and for readers: who is refused meanwhile asks again.
TEST(MapMemoryLimit, NodesThatWaitAreThereForWhoAsksAgain) {
  LimitedHost host(2 << 20);
  const Ref<Map> trie = host.make(uapi::BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1 << 20, kNoPrealloc).value();
  const std::uint64_t n = fill_trie(*trie);
  for (std::uint64_t i = 0; i < n / 2; ++i) ASSERT_EQ(erase(*trie, prefix(i)), 0);
  host.held_when_settled();
  for (std::uint64_t i = n / 2; i < n / 2 + 50; ++i) ASSERT_EQ(erase(*trie, prefix(i)), 0);
  host.held_when_settled();  // fifty are too few for a batch: they still wait
  int refused = 0;
  for (std::uint64_t i = 0; i < n / 2 + 50; ++i) {
    const int code = update(*trie, prefix(i), i);
    if (code == 0) continue;
    ASSERT_EQ(code, ENOMEM);
    ++refused;
    host.held_when_settled();
    ASSERT_EQ(update(*trie, prefix(i), i), 0) << "the same room";
  }
  EXPECT_GT(refused, 0);
}

TEST(MapMemoryLimit, TriesStorageAndArenasCount) {
  LimitedHost host(2 << 20);
  {
    const Ref<Map> trie = host.make(uapi::BPF_MAP_TYPE_LPM_TRIE, 8, 8, 1 << 20, kNoPrealloc).value();
    const std::uint64_t empty = host.memory().held();
    const std::uint64_t n = fill_trie(*trie);
    EXPECT_GT(n, 5000u);
    EXPECT_LT(host.memory().limit() - host.memory().held(), 200u);
    for (std::uint64_t i = 0; i < n; ++i) ASSERT_EQ(erase(*trie, prefix(i)), 0);
    // A cell keeps a few free ones, and a few wait for more to go through a grace period with.
    EXPECT_LT(host.held_when_settled(), empty + 2 * (16u << 10));
    EXPECT_EQ(host.memory().held(), trie->memory_bytes()) << "what info says is what is charged";
  }
  EXPECT_EQ(host.held_when_settled(), 0u);
  const Ref<Map> arena = host.make(uapi::BPF_MAP_TYPE_ARENA, 0, 0, 1024, uapi::BPF_F_MMAPABLE).value();
  const std::uint64_t before = host.held_when_settled();  // the trie is gone when its readers are
  const std::uint64_t some = arena_alloc_pages(*arena, 0, 300);
  EXPECT_NE(some, 0u);
  EXPECT_EQ(host.memory().held() - before, 300 * page_bytes());
  EXPECT_EQ(arena_alloc_pages(*arena, 0, 300), 0u) << "600 pages are over the limit";
  EXPECT_EQ(host.memory().held() - before, 300 * page_bytes());
  EXPECT_NE(arena_alloc_pages(*arena, 0, 100), 0u);
  arena_free_pages(*arena, some, 300);
  EXPECT_EQ(host.memory().held() - before, 100 * page_bytes());
  // What somebody touches without asking is seen the next time.
  auto* const user = reinterpret_cast<volatile char*>(arena_window(*arena) + static_cast<std::uint32_t>(some));
  for (std::size_t page = 0; page < 250; ++page) user[page * page_bytes()] = 1;
  const std::uint64_t one = arena_alloc_pages(*arena, 0, 1);
  EXPECT_NE(one, 0u);
  EXPECT_GE(host.memory().held() - before, 250 * page_bytes());
}

TEST(MapMemoryLimit, ObjectsOfProgramsCount) {
  LimitedHost host(1 << 20);
  const auto type = AllocatedType::make(1000, {}, host, host.log).value();
  std::vector<void*> objects;
  while (void* object = type->allocate()) objects.push_back(object);
  EXPECT_GT(objects.size(), 900u);
  EXPECT_LT(objects.size(), 1049u);
  EXPECT_EQ(type->allocate_percpu(2), nullptr);
  for (void* object : objects) type->drop(object);
  EXPECT_EQ(host.held_when_settled(), 0u);
  void* percpu = type->allocate_percpu(2);
  ASSERT_NE(percpu, nullptr);
  EXPECT_GT(host.memory().held(), 2000u);
  AllocatedType::drop_percpu(percpu);
  EXPECT_EQ(host.held_when_settled(), 0u);
}

TEST(MapMemoryLimit, FailuresInTheMiddleLeaveNothing) {
  LimitedHost host(8 << 20);
  for (const auto& [type, flags] : std::vector<std::pair<std::uint32_t, std::uint32_t>>{
           {uapi::BPF_MAP_TYPE_HASH, 0}, {uapi::BPF_MAP_TYPE_HASH, kNoPrealloc}, {uapi::BPF_MAP_TYPE_PERCPU_HASH, kNoPrealloc},
           {uapi::BPF_MAP_TYPE_LRU_HASH, 0}, {uapi::BPF_MAP_TYPE_LPM_TRIE, kNoPrealloc}}) {
    for (std::int64_t nth = 0;; ++nth) {
      const FaultInjection fault(nth);
      {
        auto map = host.make(type, 8, 8, 64, flags);
        for (std::uint64_t i = 0; map.ok() && i < 20; ++i) {
          const std::uint64_t key = type == uapi::BPF_MAP_TYPE_LPM_TRIE ? 32 | i << 58 : i, value[2] = {i, i};
          const bool per_cpu = type == uapi::BPF_MAP_TYPE_PERCPU_HASH;
          NoFds fds;
          (void)update_elem(**map, bytes(key), per_cpu ? std::as_bytes(std::span(value)) : bytes(i), uapi::BPF_ANY, fds);
          if (i % 3 == 0) (void)delete_elem(**map, bytes(key));
        }
      }
      EXPECT_EQ(host.held_when_settled(), 0u) << "type " << type << ", failure " << nth;
      if (!fault.fired()) break;
    }
  }
}

TEST(MapMemoryLimit, ThreadsAtTheLimitCountExactly) {
  LimitedHost host(512 << 10);
  Ref<Map> hash = host.make(uapi::BPF_MAP_TYPE_HASH, 8, 40, 4096, kNoPrealloc).value();
  struct Value {
    std::uint64_t words[5];
  };
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t round = 0; round < 4; ++round) {
        for (std::uint64_t i = 0; i < 2000; ++i) {
          const int code = update(*hash, i * 3 + t, Value{});
          EXPECT_TRUE(code == 0 || code == ENOMEM || code == E2BIG) << code;
        }
        EXPECT_LE(host.memory().held(), host.memory().limit());
        for (std::uint64_t i = 0; i < 2000; ++i) (void)erase(*hash, i * 3 + t);
      }
    });
  for (std::thread& t : threads) t.join();
  rcu::drain();
  EXPECT_EQ(host.memory().held(), hash->memory_bytes());
  hash = nullptr;
  EXPECT_EQ(host.held_when_settled(), 0u);
}

}  // namespace
}  // namespace ring3::maps
