#include "object/weak_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/fault_point.h"
#include "object/rcu.h"

namespace ring3 {
namespace {

/// Counted as ring3/counted.h does it, which this room may not know.
struct Thing {
  rcu::Deferred freed;  // first
  std::atomic<int> refs{1};
  bool can_be_weak = true;

  Thing() { ++alive; }
  ~Thing() { --alive; }
  bool acquire() {
    for (int seen = refs; seen != 0;)
      if (refs.compare_exchange_weak(seen, seen + 1)) return true;
    return false;
  }
  void release() {
    if (--refs != 0) return;
    weak::object_gone(this);
    rcu::call_after_readers(&freed, [](rcu::Deferred* node) { delete reinterpret_cast<Thing*>(node); });
  }
  static inline std::atomic<int> alive{0};
};

const WeakType kThings = {.context = nullptr,
                          .acquire = [](const void*, void* t) { return static_cast<Thing*>(t)->acquire(); },
                          .weaken = [](const void*, void* t) { return static_cast<Thing*>(t)->can_be_weak; },
                          .release = [](const void*, void* t) { static_cast<Thing*>(t)->release(); }};

class WeakTableTest : public testing::Test {
 protected:
  ~WeakTableTest() override {
    rcu::drain();
    EXPECT_EQ(Thing::alive, 0);
    EXPECT_EQ(weak::filled(), 0u);
  }
  static Thing* exchange(std::uint64_t& slot, Thing* thing) {
    return static_cast<Thing*>(weak::exchange(&slot, thing, kThings));
  }
};

TEST_F(WeakTableTest, ASlotDoesNotKeepItsObject) {
  std::uint64_t slot = 0;
  auto* thing = new Thing;
  ASSERT_TRUE(thing->acquire());
  EXPECT_EQ(exchange(slot, thing), nullptr);
  EXPECT_EQ(thing->refs, 1) << "the reference was given away";
  EXPECT_EQ(slot, reinterpret_cast<std::uintptr_t>(thing));
  thing->release();
  EXPECT_EQ(slot, 0u);
}

TEST_F(WeakTableTest, WhatIsTakenOutIsOwned) {
  std::uint64_t slot = 0;
  auto *a = new Thing, *b = new Thing;
  ASSERT_TRUE(a->acquire() && b->acquire());
  EXPECT_EQ(exchange(slot, a), nullptr);
  EXPECT_EQ(exchange(slot, b), a);
  EXPECT_EQ(a->refs, 2);
  a->release();
  a->release();
  EXPECT_EQ(slot, reinterpret_cast<std::uintptr_t>(b)) << "the end of another object";
  EXPECT_EQ(exchange(slot, nullptr), b);
  EXPECT_EQ(slot, 0u);
  b->release();
  b->release();
}

TEST_F(WeakTableTest, TheLastReferenceGivenAwayIsTheEnd) {
  std::uint64_t slot = 0;
  EXPECT_EQ(exchange(slot, new Thing), nullptr);
  EXPECT_EQ(slot, 0u);
}

TEST_F(WeakTableTest, ManySlotsOfOneObject) {
  std::uint64_t slots[40] = {};
  auto* thing = new Thing;
  for (std::uint64_t& slot : slots) {
    ASSERT_TRUE(thing->acquire());
    exchange(slot, thing);
  }
  EXPECT_EQ(weak::filled(), 40u);
  weak::clear(&slots[7]);
  weak::clear(&slots[7]);
  EXPECT_EQ(weak::filled(), 39u);
  thing->release();
  for (const std::uint64_t slot : slots) EXPECT_EQ(slot, 0u);
}

TEST_F(WeakTableTest, WhatCannotBeWeakIsNotStored) {
  std::uint64_t slot = 0;
  auto* thing = new Thing;
  thing->can_be_weak = false;
  ASSERT_TRUE(thing->acquire());
  EXPECT_EQ(exchange(slot, thing), nullptr);
  EXPECT_EQ(slot, 0u);
  EXPECT_EQ(thing->refs, 1);
  thing->release();
}

TEST_F(WeakTableTest, WithoutMemoryASlotIsEmpty) {
  std::uint64_t slot = 0;
  auto* thing = new Thing;
  ASSERT_TRUE(thing->acquire());
  {
    const FaultInjection fault(0);
    EXPECT_EQ(exchange(slot, thing), nullptr);
  }
  EXPECT_EQ(slot, 0u);
  EXPECT_EQ(thing->refs, 1);
  thing->release();
}

TEST_F(WeakTableTest, ManyThreadsFillReadAndEnd) {
  constexpr int kThreads = 4, kTurns = 4'000;
  std::uint64_t slots[3] = {};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTurns; ++i) {
        std::uint64_t& slot = slots[(t + i) % 3];
        auto* mine = new Thing;
        if (i % 4 != 0) (void)mine->acquire();
        if (Thing* old = exchange(slot, mine)) old->release();
        {
          const rcu::ReadSection readers;
          auto* seen = reinterpret_cast<Thing*>(__atomic_load_n(&slot, __ATOMIC_ACQUIRE));
          if (seen != nullptr) {
            EXPECT_GE(seen->refs, 0);
          }
        }
        if (i % 5 == 0) weak::clear(&slot);
        if (i % 4 != 0) mine->release();
      }
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::uint64_t slot : slots) EXPECT_EQ(slot, 0u) << "every object has gone";
}

}  // namespace
}  // namespace ring3
