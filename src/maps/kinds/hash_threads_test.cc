// Several threads that change one hash: the limit is exact, nothing is lost, and what the map counts is what is in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "maps/kinds/hash_map.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

struct Kind {
  const char* name;
  std::uint32_t type, flags;
};

class HashThreads : public ::testing::TestWithParam<Kind> {
 protected:
  static constexpr std::uint32_t kThreads = 4;

  Ref<Map> make_map(std::uint32_t limit, std::uint32_t value_bytes = 8) {
    return make(host, spec(GetParam().type, 4, value_bytes, limit, GetParam().flags)).value();
  }
  bool percpu() const { return GetParam().type == BPF_MAP_TYPE_PERCPU_HASH; }

  /// body(number of the thread), each on a CPU slot of its own.
  template <typename Body>
  static void on_threads(Body body) {
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < kThreads; ++t)
      threads.emplace_back([&body, t] {
        FakeHost::cpu() = t;
        body(t);
      });
    for (auto& t : threads) t.join();
  }
  static long put(Map& m, std::uint32_t key, std::uint64_t value, std::uint64_t flags = 0) {
    rcu::ReadSection section;
    const std::uint64_t words[2] = {value, ~value};
    return m.ops().data.update(m, &key, words, flags);
  }
  static long drop(Map& m, std::uint32_t key) {
    rcu::ReadSection section;
    return m.ops().data.erase(m, &key);
  }
  static std::uint32_t count(Map& m) { return as_hash(m).count(); }

  FakeHost host{kThreads};
};

/// Counts what a part of a batch gives out.
class Counting final : public BatchEmit {
 public:
  Result<void> element(std::span<const std::byte>, std::span<const std::byte>) override {
    ++elements;
    return {};
  }
  std::uint32_t elements = 0;
};

INSTANTIATE_TEST_SUITE_P(Kinds, HashThreads,
                         ::testing::Values(Kind{"hash", BPF_MAP_TYPE_HASH, 0}, Kind{"hash_no_prealloc", BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC},
                                           Kind{"percpu_hash", BPF_MAP_TYPE_PERCPU_HASH, 0},
                                           Kind{"percpu_hash_no_prealloc", BPF_MAP_TYPE_PERCPU_HASH, BPF_F_NO_PREALLOC}),
                         [](const auto& kind) { return std::string(kind.param.name); });

// Each thread keeps to its share, and the shares are the limit: there is always room for the next, wherever it is kept.
TEST_P(HashThreads, StressThereIsAlwaysRoomBelowTheLimit) {
  for (const std::uint32_t share : {1u, 9u, 40u}) {
    auto m = make_map(kThreads * share);
    on_threads([&](std::uint32_t t) {
      for (std::uint32_t turn = 0; turn < 6000 / share; ++turn) {
        for (std::uint32_t i = 0; i < share; ++i) ASSERT_EQ(put(*m, i * kThreads + t, i, BPF_NOEXIST), 0) << share;
        for (std::uint32_t i = 0; i < share; ++i) ASSERT_EQ(drop(*m, i * kThreads + t), 0);
      }
    });
    EXPECT_EQ(count(*m), 0u);
    for (std::uint32_t i = 0; i < kThreads * share; ++i) ASSERT_EQ(put(*m, i, i), 0) << "no place was lost";
    EXPECT_EQ(put(*m, kThreads * share, 0), -E2BIG);
  }
}

TEST_P(HashThreads, StressNeverMoreThanTheLimit) {
  constexpr std::uint32_t kLimit = 50, kKeys = 3 * kLimit;
  auto m = make_map(kLimit);
  std::atomic<std::int64_t> inside{0};  // never more than there are: counted after they came and before they go
  std::atomic<std::uint64_t> refused{0};
  on_threads([&](std::uint32_t t) {
    std::mt19937 random(t);
    std::set<std::uint32_t> mine;
    for (int i = 0; i < 8000; ++i) {
      const std::uint32_t key = static_cast<std::uint32_t>(random() % kKeys) * kThreads + t;
      if (random() % 3 != 0) {
        const long code = put(*m, key, key, mine.contains(key) ? BPF_EXIST : BPF_NOEXIST);
        if (mine.contains(key)) {
          ASSERT_EQ(code, 0) << "an element is changed in a full map, too";
        } else if (code == 0) {
          mine.insert(key);
          ASSERT_LE(inside.fetch_add(1) + 1, std::int64_t{kLimit});
        } else {
          ASSERT_EQ(code, -E2BIG);
          refused.fetch_add(1);
        }
      } else if (!mine.empty()) {
        const auto it = mine.lower_bound(key) == mine.end() ? mine.begin() : mine.lower_bound(key);
        inside.fetch_sub(1);
        ASSERT_EQ(drop(*m, *it), 0);
        mine.erase(it);
      }
    }
  });
  EXPECT_GT(refused.load(), 0u);
  EXPECT_EQ(count(*m), static_cast<std::uint32_t>(inside.load()));
  EXPECT_EQ(keys<std::uint32_t>(*m).size(), static_cast<std::size_t>(inside.load()));
}

// Everything at once: single changes by programs and clients, lookups, walks, and clients that take elements out.
TEST_P(HashThreads, StressWhatCameInAndDidNotGoIsThere) {
  constexpr std::uint32_t kLimit = 64, kKeys = 100;
  auto m = make_map(kLimit, 16);
  std::atomic<std::int64_t> came{0}, went{0};
  struct Value {
    std::uint64_t word[2];
  };
  on_threads([&](std::uint32_t t) {
    std::mt19937 random(t + 100);
    std::vector<Value> all(kThreads);
    for (int i = 0; i < 6000; ++i) {
      const auto key = static_cast<std::uint32_t>(random() % kKeys);
      switch (random() % 9) {
        case 0:
        case 1:
        case 2: {
          const long code = put(*m, key, key, BPF_NOEXIST);
          if (code == 0) came.fetch_add(1);
          ASSERT_TRUE(code == 0 || code == -EEXIST || code == -E2BIG) << code;
          break;
        }
        case 3: {
          const long code = put(*m, key, key, BPF_EXIST);
          ASSERT_TRUE(code == 0 || code == -ENOENT) << code;
          break;
        }
        case 4:
        case 5: {
          const long code = drop(*m, key);
          if (code == 0) went.fetch_add(1);
          ASSERT_TRUE(code == 0 || code == -ENOENT) << code;
          break;
        }
        case 6: {
          const std::span<std::byte> out = std::as_writable_bytes(std::span(all)).first(m->value_bytes());
          const int code = testing::code(lookup_and_delete_elem(*m, bytes(key), out, 0));
          if (code == 0) {
            went.fetch_add(1);
            // One copy a slot: a program's insertion wrote its own and cleared the others.
            for (std::uint32_t cpu = 0; cpu < (percpu() ? kThreads : 1); ++cpu)
              EXPECT_TRUE((all[cpu].word[0] == key && all[cpu].word[1] == ~std::uint64_t{key}) ||
                          (percpu() && all[cpu].word[0] == 0 && all[cpu].word[1] == 0));
          }
          break;
        }
        case 7: {
          Counting taken;
          const auto bucket = static_cast<std::uint32_t>(random() % (2 * kLimit));
          ASSERT_TRUE(m->ops().control.batch_part(*m, bucket, kLimit, true, 0, taken).ok());
          went.fetch_add(taken.elements);
          break;
        }
        case 8: {
          std::uint32_t at = 0, next = 0;
          auto r = next_key(*m, {}, writable(at));
          for (int steps = 0; r.ok() && steps < 20; ++steps, at = next) {
            ASSERT_LT(at, kKeys);
            r = next_key(*m, bytes(at), writable(next));
          }
          rcu::ReadSection section;
          m->ops().data.lookup(*m, &key);
          ASSERT_LE(count(*m), kLimit);
          break;
        }
      }
    }
  });
  const std::vector<std::uint32_t> left = keys<std::uint32_t>(*m);
  EXPECT_EQ(static_cast<std::int64_t>(left.size()), came.load() - went.load());
  EXPECT_EQ(std::set<std::uint32_t>(left.begin(), left.end()).size(), left.size());
  EXPECT_EQ(count(*m), left.size());
}

// One inserts, another deletes: places and elements go from the one's cell to the other's and back.
TEST_P(HashThreads, StressWhatOneLetsInAnotherTakesOut) {
  constexpr std::uint32_t kLimit = 33, kTurns = 20000;
  auto m = make_map(kLimit);
  std::atomic<bool> done{false};
  // The taker's cells alone would come to a number below 0; what bpf_map_sum_elem_count() says never does.
  std::thread counter([&] {
    while (!done.load()) ASSERT_LE(m->element_count(), kLimit);
  });
  std::thread giver([&] {
    for (std::uint32_t i = 0; i < kTurns;)
      if (put(*m, i, i, BPF_NOEXIST) == 0) ++i;
      else std::this_thread::yield();
  });
  std::thread taker([&] {
    for (std::uint32_t i = 0; i < kTurns;)
      if (drop(*m, i) == 0) ++i;
      else std::this_thread::yield();
  });
  giver.join();
  taker.join();
  done.store(true);
  counter.join();
  EXPECT_EQ(m->element_count(), 0u);
  for (std::uint32_t i = 0; i < kLimit; ++i) ASSERT_EQ(put(*m, i, i), 0);
  EXPECT_EQ(put(*m, kLimit, 0), -E2BIG);
}

// Every thread deletes its own elements and its neighbour's: no cell of the count says by itself what is in the map.
TEST_P(HashThreads, StressTheSumIsWhatIsInTheMap) {
  constexpr std::uint32_t kShare = 100;
  auto m = make_map(kThreads * kShare);
  for (std::uint32_t round = 1; round <= 20; ++round) {
    std::atomic<std::uint32_t> went{0};
    on_threads([&](std::uint32_t t) {
      for (std::uint32_t i = 0; i < kShare; ++i) ASSERT_EQ(put(*m, i * kThreads + t, i, BPF_NOEXIST), 0);
      for (std::uint32_t i = 0; i < kShare; i += 1 + round % 5)
        for (const std::uint32_t of : {t, (t + 1) % kThreads})
          if (drop(*m, i * kThreads + of) == 0) went.fetch_add(1);
    });
    const std::vector<std::uint32_t> left = keys<std::uint32_t>(*m);
    EXPECT_EQ(m->element_count(), left.size());
    EXPECT_EQ(m->element_count(), kThreads * kShare - went.load());
    for (const std::uint32_t key : left) ASSERT_EQ(drop(*m, key), 0);
    EXPECT_EQ(m->element_count(), 0u);
  }
}

// One thread against std::map, with a limit that is met all the time.
TEST_P(HashThreads, AnswersAsAModelDoes) {
  constexpr std::uint32_t kLimit = 21;
  auto m = make_map(kLimit, 16);
  std::map<std::uint32_t, std::uint64_t> model;
  std::mt19937 random(7);
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto key = static_cast<std::uint32_t>(random() % 40);
    const std::uint64_t flags = random() % 3;
    const bool there = model.contains(key);
    if (random() % 3 != 0) {
      const long want = there && flags == BPF_NOEXIST                    ? -EEXIST
                        : !there && flags == BPF_EXIST                   ? -ENOENT
                        : !there && model.size() == kLimit               ? -E2BIG
                                                                         : 0;
      ASSERT_EQ(put(*m, key, i, flags), want) << i;
      if (want == 0) model[key] = i;
    } else {
      ASSERT_EQ(drop(*m, key), there ? 0 : -ENOENT) << i;
      model.erase(key);
    }
    ASSERT_EQ(count(*m), model.size());
    rcu::ReadSection section;
    const auto asked = static_cast<std::uint32_t>(random() % 40);
    const auto* value = find<std::uint64_t>(*m, asked);
    ASSERT_EQ(value != nullptr, model.contains(asked));
    if (value) {
      ASSERT_EQ(*value, model[asked]);
    }
  }
  std::vector<std::uint32_t> walked = keys<std::uint32_t>(*m);
  std::sort(walked.begin(), walked.end());
  std::vector<std::uint32_t> expected;
  for (const auto& [key, value] : model) expected.push_back(key);
  EXPECT_EQ(walked, expected);
}

}  // namespace
}  // namespace ring3::maps
