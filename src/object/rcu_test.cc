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

}  // namespace
}  // namespace ring3::rcu
