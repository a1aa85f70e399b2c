#include "object/object.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/fault_point.h"
#include "object/object_table.h"
#include "object/transaction.h"

namespace ring3 {
namespace {

struct Counts {
  std::atomic<int> last_user{0}, last{0}, destroyed{0};
};

class Thing : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kMap;
  Thing(ObjectTable& t, Counts* counts = nullptr, ObjectKind kind = ObjectKind::kMap)
      : Object(kind, t, Birth{1000, 42, 7}), counts_(counts) {}
  std::uint64_t payload = 0x600d600d600d600d;

 private:
  ~Thing() override {
    payload = 0xdeaddeaddeaddead;
    if (counts_) ++counts_->destroyed;
  }
  void last_user_ref() noexcept override {
    if (counts_) ++counts_->last_user;
  }
  void last_ref() noexcept override {
    if (counts_) ++counts_->last;
  }
  Counts* counts_;
};

Ref<Thing> make(ObjectTable& t, Counts* c = nullptr, ObjectKind kind = ObjectKind::kMap) {
  return Ref<Thing>::adopt(new Thing(t, c, kind));
}

TEST(ObjectTest, FreshObjectHasOneReferenceAndNoId) {
  ObjectTable table;
  {
    auto o = make(table);
    EXPECT_EQ(o->refs(), 1u);
    EXPECT_EQ(o->user_refs(), 0u);
    EXPECT_EQ(o->id(), 0u);
    EXPECT_EQ(o->birth().pid, 42);
    EXPECT_EQ(table.live_count(), 1u);
  }
  rcu::drain();
  EXPECT_TRUE(table.live().empty());
}

TEST(ObjectTest, DestroyedAfterReadersNotBefore) {
  ObjectTable table;
  Counts c;
  {
    rcu::ReadSection section;
    make(table, &c);
    EXPECT_EQ(c.last, 1);
    EXPECT_EQ(c.destroyed, 0);
  }
  rcu::drain();
  EXPECT_EQ(c.destroyed, 1);
}

TEST(ObjectTest, RefCopiesMovesAndConverts) {
  ObjectTable table;
  {
    auto a = make(table);
    Ref<Thing> b = a;
    EXPECT_EQ(a->refs(), 2u);
    Ref<Object> base = std::move(b);
    EXPECT_EQ(a->refs(), 2u);
    EXPECT_FALSE(b);  // NOLINT: moved-from is null by contract
    auto& alias = a;
    a = alias;
    EXPECT_EQ(a->refs(), 2u);
    auto back = ref_cast<Thing>(base);
    EXPECT_EQ(back.get(), a.get());
    EXPECT_EQ(a->refs(), 3u);
    auto other = make(table, nullptr, ObjectKind::kLink);
    EXPECT_FALSE(ref_cast<Thing>(Ref<Object>(other)));
    EXPECT_EQ(other->refs(), 1u);
  }
  rcu::drain();
}

TEST(ObjectTest, LastUserReferenceIsToldWhileReferencesRemain) {
  ObjectTable table;
  Counts c;
  {
    auto o = make(table, &c);
    UserRef<Thing> one(o);
    UserRef<Thing> two(o);
    EXPECT_EQ(o->user_refs(), 2u);
    EXPECT_EQ(o->refs(), 5u);
    one.reset();
    EXPECT_EQ(c.last_user, 0);
    two.reset();
    EXPECT_EQ(c.last_user, 1);
    EXPECT_EQ(o->refs(), 1u);
    EXPECT_EQ(c.last, 0);
  }
  EXPECT_EQ(c.last, 1);
  rcu::drain();
}

TEST(ObjectTest, TryRefFailsAfterTheLastDrop) {
  ObjectTable table;
  rcu::read_lock();
  auto o = make(table);
  Thing* raw = o.get();
  EXPECT_TRUE(raw->try_ref());
  raw->unref();
  o = nullptr;
  EXPECT_FALSE(raw->try_ref());
  rcu::read_unlock();
  rcu::drain();
}

TEST(ObjectTableTest, IdsAreCyclicFromOnePerKind) {
  ObjectTable table;
  auto a = make(table);
  auto b = make(table);
  auto link = make(table, nullptr, ObjectKind::kLink);
  ASSERT_TRUE(table.publish(*a).ok());
  ASSERT_TRUE(table.publish(*b).ok());
  ASSERT_TRUE(table.publish(*link).ok());
  EXPECT_EQ(a->id(), 1u);
  EXPECT_EQ(b->id(), 2u);
  EXPECT_EQ(link->id(), 1u);
  b = nullptr;
  rcu::drain();
  auto c = make(table);
  ASSERT_TRUE(table.publish(*c).ok());
  EXPECT_EQ(c->id(), 3u) << "freed ids are not reused before the space has been walked once";
  a = nullptr, c = nullptr, link = nullptr;
  rcu::drain();
}

TEST(ObjectTableTest, NothingIsFoundBeforePublishOrAfterTheLastReference) {
  ObjectTable table;
  auto a = make(table);
  ASSERT_TRUE(table.reserve_id(*a).ok());
  EXPECT_EQ(table.find(ObjectKind::kMap, a->id()).error(), Errno::kNoEnt);
  EXPECT_EQ(table.next_id(ObjectKind::kMap, 0).error(), Errno::kNoEnt);
  ASSERT_TRUE(table.publish(*a).ok());
  EXPECT_EQ(table.next_id(ObjectKind::kMap, 0).value(), 1u);
  EXPECT_EQ(table.find(ObjectKind::kMap, 1).value().get(), a.get());
  EXPECT_EQ(table.find(ObjectKind::kProg, 1).error(), Errno::kNoEnt);
  rcu::ReadSection hold;  // the object stays in memory, and still is not found
  a = nullptr;
  EXPECT_EQ(table.find(ObjectKind::kMap, 1).error(), Errno::kNoEnt);
  EXPECT_EQ(table.next_id(ObjectKind::kMap, 0).error(), Errno::kNoEnt);
  rcu::read_unlock();
  rcu::drain();
  rcu::read_lock();
}

TEST(ObjectTableTest, NextIdBounds) {
  ObjectTable table;
  EXPECT_EQ(table.next_id(ObjectKind::kMap, 0x7fffffff).error(), Errno::kInval);
  EXPECT_EQ(table.next_id(ObjectKind::kMap, 0xffffffff).error(), Errno::kInval);
  EXPECT_EQ(table.next_id(ObjectKind::kMap, 0x7ffffffe).error(), Errno::kNoEnt);
  EXPECT_EQ(table.find(ObjectKind::kMap, 0).error(), Errno::kNoEnt);
}

TEST(ObjectTableTest, LeakListNamesObjectAndReferences) {
  ObjectTable table;
  auto a = make(table);
  ASSERT_TRUE(table.publish(*a).ok());
  Ref<Object> second = a;
  auto lines = table.live();
  ASSERT_FALSE(lines.empty());
  EXPECT_NE(lines[0].find("map id 1 refs 2"), std::string::npos) << lines[0];
#if defined(RING3_REF_ORIGINS)
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[1].find("object_test.cc:"), std::string::npos) << lines[1];
  EXPECT_NE(lines[2].find("object_test.cc:"), std::string::npos) << lines[2];
#endif
  a = nullptr, second = nullptr;
  rcu::drain();
  EXPECT_TRUE(table.live().empty());
}

TEST(ObjectTableTest, ReserveFailsCleanlyWithoutMemory) {
  ObjectTable table;
  auto a = make(table);
  {
    FaultInjection fault(0);
    EXPECT_EQ(table.publish(*a).error(), Errno::kNoMem);
    EXPECT_TRUE(fault.fired());
  }
  EXPECT_EQ(a->id(), 0u);
  EXPECT_TRUE(table.publish(*a).ok());
  a = nullptr;
  rcu::drain();
}

TEST(TransactionTest, CommitPublishesAllAtOnce) {
  ObjectTable table;
  auto a = make(table);
  auto b = make(table, nullptr, ObjectKind::kProg);
  {
    Transaction tx(table);
    ASSERT_TRUE(tx.add(a).ok());
    ASSERT_TRUE(tx.add(b).ok());
    EXPECT_EQ(a->id(), 1u);
    EXPECT_EQ(b->id(), 1u);
    EXPECT_EQ(table.find(ObjectKind::kMap, 1).error(), Errno::kNoEnt);
    EXPECT_EQ(tx.find(ObjectKind::kMap, 1).value().get(), a.get());
    EXPECT_EQ(tx.find(ObjectKind::kLink, 1).error(), Errno::kNoEnt);
    EXPECT_EQ(tx.next_id(ObjectKind::kProg, 0).value(), 1u);
    EXPECT_EQ(tx.next_id(ObjectKind::kProg, 1).error(), Errno::kNoEnt);
    ASSERT_TRUE(tx.commit().ok());
    EXPECT_EQ(tx.commit().error(), Errno::kBusy);
    EXPECT_EQ(tx.add(a).error(), Errno::kBusy);
    EXPECT_FALSE(tx.open());
  }
  EXPECT_TRUE(table.find(ObjectKind::kMap, 1).ok());
  EXPECT_TRUE(table.find(ObjectKind::kProg, 1).ok());
  EXPECT_EQ(a->refs(), 1u);
  a = nullptr, b = nullptr;
  rcu::drain();
}

TEST(TransactionTest, RollbackLeavesNothing) {
  ObjectTable table;
  Counts c;
  {
    Transaction tx(table);
    ASSERT_TRUE(tx.add(make(table, &c)).ok());
    ASSERT_TRUE(tx.add(make(table, &c)).ok());
    EXPECT_EQ(tx.size(), 2u);
  }
  rcu::drain();
  EXPECT_EQ(c.destroyed, 2);
  EXPECT_TRUE(table.live().empty());
}

TEST(TransactionTest, EveryFailingAllocationLeavesNothingVisible) {
  ObjectTable table;
  for (std::int64_t nth = 0;; ++nth) {
    FaultInjection fault(nth);
    {
      Transaction tx(table);
      bool ok = true;
      for (int i = 0; i < 3 && ok; ++i) ok = tx.add(make(table)).ok();
      ok = ok && tx.commit().ok();
      if (ok) {
        EXPECT_FALSE(fault.fired());
        break;
      }
    }
    EXPECT_EQ(table.next_id(ObjectKind::kMap, 0).error(), Errno::kNoEnt);
  }
  rcu::drain();
  EXPECT_TRUE(table.live().empty());
}

// Readers find by id while owners publish and drop: no reader sees a dead payload.
TEST(ObjectStressTest, FindAgainstPublishAndDrop) {
  ObjectTable table;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> found{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r)
    readers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        auto id = table.next_id(ObjectKind::kMap, 0);
        if (!id.ok()) continue;
        auto o = table.find(ObjectKind::kMap, id.value());
        if (!o.ok()) continue;
        EXPECT_EQ(static_cast<Thing*>(o.value().get())->payload, 0x600d600d600d600du);
        found.fetch_add(1, std::memory_order_relaxed);
      }
    });
  for (int i = 0; i < 2000 || found.load() == 0; ++i) {
    auto o = make(table);
    ASSERT_TRUE(table.publish(*o).ok());
    if (i % 8 == 0) std::this_thread::yield();
  }
  stop = true;
  for (auto& t : readers) t.join();
  rcu::drain();
  EXPECT_TRUE(table.live().empty());
}

// The pattern of the run path: a slot holds an object, readers follow it under RCU without counting.
TEST(ObjectStressTest, RcuReadersOfASwappedSlot) {
  ObjectTable table;
  std::atomic<Thing*> slot{make(table).release()};
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      rcu::ReadSection section;
      EXPECT_EQ(slot.load(std::memory_order_acquire)->payload, 0x600d600d600d600du);
    }
  });
  for (int i = 0; i < 2000; ++i) {
    Thing* old = slot.exchange(make(table).release(), std::memory_order_acq_rel);
    old->unref();
  }
  stop = true;
  reader.join();
  slot.load()->unref();
  rcu::drain();
  EXPECT_TRUE(table.live().empty());
}

}  // namespace
}  // namespace ring3
