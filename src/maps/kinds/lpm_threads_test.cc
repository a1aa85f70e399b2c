// Several threads that change one LPM trie: the limit is exact, nothing is lost, readers find values that are whole, and nodes find
// their way from the thread that takes them out to the one that puts them in.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <random>
#include <thread>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

/// A prefix of `kWords` words of 32 bits.
template <std::uint32_t kWords>
struct Key {
  std::uint32_t bits = 0;
  std::uint32_t word[kWords] = {};
};
using V4 = Key<1>;
using V6 = Key<4>;

V4 host_of(std::uint32_t number) { return {32, {__builtin_bswap32(number)}}; }

/// What readers check: the second word follows from the first.
struct Value {
  std::uint64_t number, check;
  explicit Value(std::uint64_t n = 0) : number(n), check(~n * 31) {}
  bool whole() const { return check == ~number * 31; }
};

class LpmThreads : public ::testing::Test {
 protected:
  template <typename K>
  Ref<Map> make_trie(std::uint32_t limit) {
    return make(host, spec(BPF_MAP_TYPE_LPM_TRIE, sizeof(K), sizeof(Value), limit, BPF_F_NO_PREALLOC)).value();
  }
  template <typename K>
  static long put(Map& m, const K& key, std::uint64_t number, std::uint64_t flags = BPF_ANY) {
    const Value value(number);
    return m.ops().data.update(m, &key, &value, flags);
  }
  template <typename K>
  static long drop(Map& m, const K& key) {
    return m.ops().data.erase(m, &key);
  }
  template <typename Body>
  static void on_threads(std::uint32_t count, Body body) {
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < count; ++t) threads.emplace_back([&body, t] { body(t); });
    for (auto& t : threads) t.join();
  }
  FakeHost host;
};

/// Two writers, each of its own half of nested prefixes with a model of it; two readers who hold what they find to be whole and right.
template <std::uint32_t kWords>
void write_and_read(Map& m, int steps) {
  using K = Key<kWords>;
  // Prefixes nest and part within few bits at both ends of the key; the last bit of the first byte says whose they are.
  const auto draw = [](std::mt19937& random, std::uint32_t whose) {
    K key;
    key.bits = 8 + static_cast<std::uint32_t>(random() % (32 * kWords - 7));
    auto* bytes = reinterpret_cast<std::uint8_t*>(key.word);
    for (std::uint32_t i = 1; i < 4 * kWords; ++i) bytes[i] = static_cast<std::uint8_t>(random() & 0x81);
    bytes[0] = static_cast<std::uint8_t>(10 + whose);
    return key;
  };
  const auto masked = [](const K& key) {
    std::vector<bool> v;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(key.word);
    for (std::uint32_t i = 0; i < key.bits; ++i) v.push_back((bytes[i / 8] >> (7 - i % 8) & 1) != 0);
    return v;
  };
  std::atomic<int> writers{2};
  std::map<std::vector<bool>, std::uint64_t> models[2];
  const auto write = [&](std::uint32_t whose) {
    std::mt19937 random(whose);
    auto& model = models[whose];
    for (int i = 0; i < steps; ++i) {
      const K key = draw(random, whose);
      const std::vector<bool> id = masked(key);
      const bool there = model.contains(id);
      const std::uint64_t number = (random() << 1 | whose) * 1000ull + key.bits;
      if (random() % 2 == 0) {
        const Value value(number);
        const std::uint64_t flags = random() % 3;
        const long want = there && flags == BPF_NOEXIST ? -EEXIST : !there && flags == BPF_EXIST ? -ENOENT : 0;
        ASSERT_EQ(m.ops().data.update(m, &key, &value, flags), want);
        if (want == 0) model[id] = number;
      } else {
        ASSERT_EQ(m.ops().data.erase(m, &key), there ? 0 : -ENOENT);
        model.erase(id);
      }
      // Nobody else writes here: the longest of the own prefixes, or what covers all.
      K asked = draw(random, whose);
      std::vector<bool> bits = masked(asked);
      rcu::ReadSection section;
      const auto* found = find<Value>(m, asked);
      ASSERT_NE(found, nullptr);
      while (bits.size() > 1 && !model.contains(bits)) bits.pop_back();
      ASSERT_EQ(found->number, bits.size() > 1 ? model[bits] : 0u);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t w = 0; w < 2; ++w)
    threads.emplace_back([&, w] {
      write(w);
      --writers;
    });
  for (std::uint32_t r = 0; r < 2; ++r)
    threads.emplace_back([&, r] {
      std::mt19937 random(100 + r);
      while (writers != 0) {
        const std::uint32_t whose = random() % 2;
        K key = draw(random, whose);
        rcu::ReadSection section;
        const auto* value = find<Value>(m, key);
        ASSERT_NE(value, nullptr) << "one covers all";
        ASSERT_TRUE(value->whole());
        if (value->number == 0) continue;
        ASSERT_LE(value->number % 1000, key.bits) << "no longer than what was asked for";
        ASSERT_EQ(value->number / 1000 % 2, whose);
        K next;
        (void)next_key(m, bytes(key), writable(next));
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(keys<K>(m).size(), models[0].size() + models[1].size() + 1);
}

TEST_F(LpmThreads, StressTwoWritersAndReadersOfShortKeys) {
  auto m = make_trie<V4>(1 << 20);
  ASSERT_EQ(put(*m, V4{}, 0), 0);
  write_and_read<1>(*m, 20000);
}

TEST_F(LpmThreads, StressTwoWritersAndReadersOfLongKeys) {
  auto m = make_trie<V6>(1 << 20);
  ASSERT_EQ(put(*m, V6{}, 0), 0);
  write_and_read<4>(*m, 10000);
}

// Everybody at the same few keys: what came in and did not go is there, and the limit is never passed.
TEST_F(LpmThreads, StressWhatCameInAndDidNotGoIsThere) {
  constexpr std::uint32_t kLimit = 20;
  auto m = make_trie<V4>(kLimit);
  std::atomic<std::int64_t> came{0}, went{0};
  std::atomic<std::uint64_t> refused{0};
  on_threads(4, [&](std::uint32_t t) {
    std::mt19937 random(t);
    for (int i = 0; i < 10000; ++i) {
      V4 key = host_of(static_cast<std::uint32_t>(random() % 16) << 28);
      key.bits = static_cast<std::uint32_t>(random() % 5);
      if (random() % 5 < 3) {
        const long code = put(*m, key, 1, BPF_NOEXIST);
        if (code == 0) came.fetch_add(1);
        if (code == -ENOSPC) refused.fetch_add(1);
        ASSERT_TRUE(code == 0 || code == -EEXIST || code == -ENOSPC) << code;
      } else if (random() % 3 == 0) {
        const long code = put(*m, key, 1, BPF_EXIST);
        ASSERT_TRUE(code == 0 || code == -ENOENT) << code;
      } else {
        const long code = drop(*m, key);
        if (code == 0) went.fetch_add(1);
        ASSERT_TRUE(code == 0 || code == -ENOENT) << code;
      }
    }
  });
  EXPECT_GT(refused.load(), 0u);
  const auto left = keys<V4>(*m);
  EXPECT_EQ(static_cast<std::int64_t>(left.size()), came.load() - went.load());
  EXPECT_LE(left.size(), std::size_t{kLimit});
  for (const V4& key : left) ASSERT_EQ(drop(*m, key), 0);
  for (std::uint32_t i = 0; i < kLimit; ++i) ASSERT_EQ(put(*m, host_of(i), i), 0) << "no place was lost";
  EXPECT_EQ(put(*m, host_of(kLimit), 0), -ENOSPC);
}

// One inserts, another deletes: the nodes come back.
TEST_F(LpmThreads, StressWhatOneLetsInAnotherTakesOut) {
  auto m = make_trie<V4>(33);
  const std::uint64_t empty = m->memory_bytes();
  constexpr std::uint32_t kTurns = 50000;
  std::thread giver([&] {
    for (std::uint32_t i = 0; i < kTurns;)
      if (put(*m, host_of(i), i, BPF_NOEXIST) == 0) ++i;
      else std::this_thread::yield();
  });
  std::thread taker([&] {
    for (std::uint32_t i = 0; i < kTurns;)
      if (drop(*m, host_of(i)) == 0) ++i;
      else std::this_thread::yield();
  });
  giver.join();
  taker.join();
  EXPECT_TRUE(keys<V4>(*m).empty());
  rcu::drain();
  // Each of the two has a few free nodes and a few that wait for more.
  EXPECT_LE(m->memory_bytes() - empty, 4u * 16384);
  EXPECT_EQ(host.memory().held(), m->memory_bytes());
  m = nullptr;
  rcu::drain();
  EXPECT_EQ(host.memory().held(), 0u);
}

// A value that a reader has found stays what it was until the reader goes, whatever becomes of its prefix.
TEST_F(LpmThreads, NothingIsUsedAgainBeforeItsReaders) {
  auto m = make_trie<V4>(1 << 16);
  for (std::uint32_t i = 0; i < 64; ++i) ASSERT_EQ(put(*m, host_of(i), i), 0);
  rcu::ReadSection section;
  const Value* seen[64];
  for (std::uint32_t i = 0; i < 64; ++i) seen[i] = find<Value>(*m, host_of(i));
  std::thread writer([&] {
    for (std::uint32_t turn = 1; turn < 100; ++turn)
      for (std::uint32_t i = 0; i < 64; ++i) {
        if (turn % 3 == 0) {
          ASSERT_EQ(drop(*m, host_of(i)), 0);
        }
        ASSERT_EQ(put(*m, host_of(i), 1000 * turn + i), 0);
      }
  });
  writer.join();
  for (std::uint32_t i = 0; i < 64; ++i) {
    EXPECT_EQ(seen[i]->number, i);
    EXPECT_TRUE(seen[i]->whole());
    EXPECT_EQ(find<Value>(*m, host_of(i))->number, 99000 + i);
  }
}

}  // namespace
}  // namespace ring3::maps
