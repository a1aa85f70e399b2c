#include "object/rcu.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "object/rcu_inline.h"

namespace ring3::rcu {
namespace {

struct Probe : Deferred {
  std::atomic<int>* ran;
  Probe* next = nullptr;
};

TEST(RcuTest, DeferredCallWaitsForOpenSections) {
  std::atomic<int> ran{0};
  Probe probe;
  probe.ran = &ran;
  std::atomic<bool> inside{false}, leave{false};
  std::thread reader([&] {
    ReadSection section;
    EXPECT_TRUE(reading());
    inside = true;
    while (!leave) std::this_thread::yield();
    EXPECT_EQ(ran, 0);
  });
  while (!inside) std::this_thread::yield();
  call_after_readers(&probe, [](Deferred* d) { ++*static_cast<Probe*>(d)->ran; });
  EXPECT_GE(pending(), 1u);
  leave = true;
  reader.join();
  drain();
  EXPECT_EQ(ran, 1);
}

TEST(RcuTest, DrainFollowsChains) {
  std::atomic<int> ran{0};
  Probe probes[5];
  for (int i = 0; i < 5; ++i) {
    probes[i].ran = &ran;
    probes[i].next = i < 4 ? &probes[i + 1] : nullptr;
  }
  struct Chain {
    static void run(Deferred* d) {
      auto* p = static_cast<Probe*>(d);
      ++*p->ran;
      if (p->next) call_after_readers(p->next, run);
    }
  };
  call_after_readers(&probes[0], Chain::run);
  drain();
  EXPECT_EQ(ran, 5);
}

TEST(RcuTest, InlineSectionsNest) {
  EXPECT_FALSE(reading());
  {
    InlineReadSection outer;
    ReadSection inner;
    EXPECT_TRUE(reading());
  }
  EXPECT_FALSE(reading());
}

// The inlined section keeps liburcu's record of a thread in a slot: it works before the slot is filled, after, nested,
// mixed with calls, and in destructors that run when the slot is empty again.
struct ReadsAtEnd {
  ~ReadsAtEnd() {
    InlineReadSection outer;
    { InlineReadSection inner; }
    *seen = reading();
  }
  bool* seen;
};

TEST(RcuTest, InlineSectionsWorkInAllOfAThreadsLife) {
  bool seen_at_end = false;
  std::thread([&seen_at_end] {
    thread_local ReadsAtEnd first{&seen_at_end};  // constructed first, destroyed last
    (void)first;
    EXPECT_FALSE(reading());
    for (int i = 0; i < 3; ++i) {
      InlineReadSection outer;
      {
        ReadSection called;
        InlineReadSection inner;
        EXPECT_TRUE(reading());
      }
      EXPECT_TRUE(reading());
    }
    EXPECT_FALSE(reading());
  }).join();
  EXPECT_TRUE(seen_at_end);
  drain();  // ends: no thread left a section open
}

}  // namespace
}  // namespace ring3::rcu
