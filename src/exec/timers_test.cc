// Timers and work items: who runs them, when, and who ends them.
#include "exec/timers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "exec/machine.h"
#include "exec/program_entry.h"
#include "maps/testing.h"
#include "object/rcu.h"
#include "tests/support/fake_host.h"

namespace ring3::exec {
namespace {

using namespace uapi;
using model::FieldKind;

struct Value {
  std::uint64_t number;
  std::uint64_t timer[2];
  std::uint64_t work[2];
};

class DeferredHost final : public maps::testing::FakeHost {
 public:
  Result<void> start_deferred() override { return machine->timers.start(); }
  Machine* machine = nullptr;
};

/// Callbacks are functions of the test.
class CallbackCode final : public Code {
 public:
  using Callback = std::function<void(maps::Map&, std::uint32_t key, Value&)>;
  explicit CallbackCode(Callback callback) : callback_(std::move(callback)) {}
  std::uint64_t call_subprog(RunContext&, std::uint32_t, std::uint64_t map, std::uint64_t key, std::uint64_t value,
                             std::uint64_t, std::uint64_t) const override {
    // The element may be another key's by now, as it may for a program: one word, read as one.
    callback_(*reinterpret_cast<maps::Map*>(map), __atomic_load_n(reinterpret_cast<const std::uint32_t*>(key), __ATOMIC_RELAXED),
              *reinterpret_cast<Value*>(value));
    return 0;
  }
  const char* tier() const override { return "callback"; }

 protected:
  std::uint64_t enter(RunContext&, void*) const override { return 0; }

 private:
  const Callback callback_;
};

class FakeProgram final : public Runnable {
 public:
  FakeProgram(ObjectTable& table, Machine& machine, CallbackCode::Callback callback)
      : Runnable(ObjectKind::kProg, table, Birth{}) {
    entry_ = std::make_unique<ProgramEntry>(machine, EntryOptions{});
    entry_->set_holder(*this);
    EXPECT_TRUE(entry_->set_code(std::make_unique<CallbackCode>(std::move(callback))).ok());
  }
};

class TimersTest : public ::testing::TestWithParam<bpf_map_type> {
 protected:
  TimersTest() { maps_.machine = &machine_; }

  UserRef<maps::Map> make_map(std::uint32_t entries = 4) {
    maps::MapSpec spec = maps::testing::spec(GetParam(), 4, sizeof(Value), entries);
    spec.fields.fields = {{FieldKind::kTimer, offsetof(Value, timer), 16, nullptr, 0, 0},
                          {FieldKind::kWork, offsetof(Value, work), 16, nullptr, 0, 0}};
    auto made = maps::testing::make(maps_, spec);
    EXPECT_TRUE(made.ok()) << maps_.log.text();
    UserRef<maps::Map> map(std::move(made).value());
    for (std::uint32_t key = 0; key < entries; ++key) {
      EXPECT_EQ(maps::testing::update(*map, key, Value{key, {}, {}}), 0);
    }
    return map;
  }
  Value& value(maps::Map& map, std::uint32_t key) { return *maps::testing::find<Value>(map, key); }
  Ref<FakeProgram> program(CallbackCode::Callback callback) {
    return Ref<FakeProgram>::adopt(new FakeProgram(maps_.table, machine_, std::move(callback)));
  }
  long make_timer(maps::Map& map, std::uint32_t key) {
    return timers().make(DeferredItem::Kind::kTimer, value(map, key).timer, map);
  }
  long make_work(maps::Map& map, std::uint32_t key) {
    return timers().make(DeferredItem::Kind::kWork, value(map, key).work, map);
  }
  Timers& timers() { return machine_.timers; }

  test::FakeHost host_;
  Machine machine_{host_};
  DeferredHost maps_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, TimersTest, ::testing::Values(BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH),
                         [](const auto& kind) {
                           return kind.param == BPF_MAP_TYPE_ARRAY ? "array" : kind.param == BPF_MAP_TYPE_HASH ? "hash" : "lru";
                         });

TEST_P(TimersTest, RunsWhenTheClockSaysSo) {
  UserRef<maps::Map> map = make_map();
  std::vector<std::pair<std::uint32_t, std::uint64_t>> ran;
  Ref<FakeProgram> prog = program([&](maps::Map& m, std::uint32_t key, Value& v) {
    EXPECT_EQ(&m, map.get());
    ran.emplace_back(key, v.number);
  });
  {
    rcu::ReadSection readers;
    for (const std::uint32_t key : {1u, 2u, 3u}) {
      ASSERT_EQ(make_timer(*map, key), 0);
      ASSERT_EQ(timers().set_callback(value(*map, key).timer, prog->entry(), 1), 0);
    }
    const std::uint64_t now = host_.ktime_ns();
    ASSERT_EQ(timers().arm(value(*map, 1).timer, now + 300), 0);
    ASSERT_EQ(timers().arm(value(*map, 2).timer, now + 100), 0);
    ASSERT_EQ(timers().arm(value(*map, 3).timer, now + 200), 0);
    ASSERT_EQ(timers().arm(value(*map, 3).timer, now + 400), 0) << "anew";
  }
  EXPECT_EQ(timers().armed(), 3u);
  EXPECT_EQ(timers().run_due(), 0u);
  host_.advance(300);
  EXPECT_EQ(timers().run_due(), 2u);
  EXPECT_EQ(ran, (std::vector<std::pair<std::uint32_t, std::uint64_t>>{{2, 2}, {1, 1}}));
  host_.advance(100);
  EXPECT_EQ(timers().run_due(), 1u);
  EXPECT_EQ(timers().run_due(), 0u);
  prog = nullptr;
  map.reset();
  rcu::drain();
}

/// A timer that is put off stays where it was in the tree until it comes up there.
TEST_P(TimersTest, PuttingOffKeepsTheOrderOfDeadlines) {
  UserRef<maps::Map> map = make_map();
  std::vector<std::uint32_t> ran;
  Ref<FakeProgram> prog = program([&](maps::Map&, std::uint32_t key, Value&) { ran.push_back(key); });
  const std::uint64_t now = host_.ktime_ns();
  rcu::ReadSection readers;
  for (const std::uint32_t key : {1u, 2u, 3u}) {
    ASSERT_EQ(make_timer(*map, key), 0);
    ASSERT_EQ(timers().set_callback(value(*map, key).timer, prog->entry(), 1), 0);
    ASSERT_EQ(timers().arm(value(*map, key).timer, now + key * 100), 0);
  }
  ASSERT_EQ(timers().arm(value(*map, 1).timer, now + 1000), 0) << "later";
  ASSERT_EQ(timers().arm(value(*map, 2).timer, now + 600), 0) << "later";
  ASSERT_EQ(timers().arm(value(*map, 2).timer, now + 400), 0) << "and less late";
  ASSERT_EQ(timers().arm(value(*map, 3).timer, now + 50), 0) << "sooner";
  EXPECT_EQ(timers().armed(), 3u);
  host_.advance(100);
  EXPECT_EQ(timers().run_due(), 1u);
  host_.advance(200);
  EXPECT_EQ(timers().run_due(), 0u) << "nothing at its old time";
  EXPECT_EQ(timers().cancel(value(*map, 1).timer), 1);
  ASSERT_EQ(timers().set_callback(value(*map, 1).timer, prog->entry(), 1), 0);
  ASSERT_EQ(timers().arm(value(*map, 1).timer, now + 1000), 0);
  host_.advance(900);
  EXPECT_EQ(timers().run_due(), 2u);
  EXPECT_EQ(ran, (std::vector<std::uint32_t>{3, 2, 1}));
}

TEST_P(TimersTest, ACallbackMayStartItselfAgainAndNotCancelItself) {
  UserRef<maps::Map> map = make_map();
  int ran = 0;
  long cancelled = 0;
  Ref<FakeProgram> prog = program([&](maps::Map&, std::uint32_t, Value& v) {
    cancelled = timers().cancel(v.timer);
    if (++ran < 3) {
      EXPECT_EQ(timers().arm(v.timer, 0), 0);
    }
  });
  {
    rcu::ReadSection readers;
    void* timer = value(*map, 0).timer;
    EXPECT_EQ(timers().arm(timer, 0), -22) << "not made";
    ASSERT_EQ(make_timer(*map, 0), 0);
    EXPECT_EQ(make_timer(*map, 0), -16);
    EXPECT_EQ(timers().arm(timer, 0), -22) << "no callback";
    ASSERT_EQ(timers().set_callback(timer, prog->entry(), 1), 0);
    EXPECT_EQ(timers().cancel(timer), 0) << "nothing to cancel";
    EXPECT_EQ(timers().arm(timer, 0), -22) << "the callback went with it";
    ASSERT_EQ(timers().set_callback(timer, prog->entry(), 1), 0);
    ASSERT_EQ(timers().arm(timer, 0), 0);
    EXPECT_EQ(timers().cancel(timer), 1);
    ASSERT_EQ(timers().set_callback(timer, prog->entry(), 1), 0);
    ASSERT_EQ(timers().arm(timer, 0), 0);
  }
  while (timers().run_due() != 0) {
  }
  EXPECT_EQ(ran, 3);
  EXPECT_EQ(cancelled, -35);
}

TEST_P(TimersTest, AnElementsEndCancels) {
  UserRef<maps::Map> map = make_map();
  int ran = 0;
  Ref<FakeProgram> prog = program([&](maps::Map&, std::uint32_t, Value&) { ++ran; });
  {
    rcu::ReadSection readers;
    ASSERT_EQ(make_timer(*map, 1), 0);
    ASSERT_EQ(timers().set_callback(value(*map, 1).timer, prog->entry(), 1), 0);
    ASSERT_EQ(timers().arm(value(*map, 1).timer, 0), 0);
  }
  EXPECT_EQ(prog->refs(), 2u);
  if (GetParam() == BPF_MAP_TYPE_ARRAY) {
    EXPECT_EQ(maps::testing::update(*map, 1u, Value{7, {9, 9}, {9, 9}}), 0);
  } else {
    EXPECT_EQ(maps::testing::erase(*map, 1u), 0);
  }
  EXPECT_EQ(timers().armed(), 0u);
  EXPECT_EQ(prog->refs(), 1u);
  host_.advance(1);
  EXPECT_EQ(timers().run_due(), 0u);
  EXPECT_EQ(ran, 0);
}

/// behaviour.md C-28: the last user reference goes while programs still hold the map.
TEST_P(TimersTest, TheLastUserEndsThemAll) {
  UserRef<maps::Map> map = make_map();
  Ref<maps::Map> programs = map.ref();
  Ref<FakeProgram> prog = program([](maps::Map&, std::uint32_t, Value&) { FAIL() << "cancelled"; });
  rcu::ReadSection readers;
  ASSERT_EQ(make_timer(*map, 1), 0);
  ASSERT_EQ(make_work(*map, 1), 0);
  ASSERT_EQ(timers().set_callback(value(*map, 1).timer, prog->entry(), 1), 0);
  ASSERT_EQ(timers().set_callback(value(*map, 1).work, prog->entry(), 1), 0);
  ASSERT_EQ(timers().arm(value(*map, 1).timer, 0), 0);
  void* timer = value(*map, 1).timer;
  map.reset();
  EXPECT_EQ(timers().armed(), 0u);
  EXPECT_EQ(prog->refs(), 1u) << "the ring of map and program is open";
  EXPECT_EQ(timers().arm(timer, 0), -22);
  EXPECT_EQ(make_timer(*programs, 1), -1);
  EXPECT_EQ(make_work(*programs, 2), -1);
}

TEST_P(TimersTest, WorkRunsOnceForManyStarts) {
  UserRef<maps::Map> map = make_map();
  std::atomic<int> ran{0};
  Ref<FakeProgram> prog = program([&](maps::Map&, std::uint32_t key, Value&) {
    EXPECT_EQ(key, 2u);
    ++ran;
  });
  // The worker waits behind this, so that the starts below meet a queued item.
  struct Gate : Worker::Item {
    std::atomic<bool> open{false};
  } gate;
  gate.run = [](Worker::Item* item) noexcept {
    while (!static_cast<Gate*>(item)->open.load()) std::this_thread::yield();
  };
  machine_.worker.post(&gate);
  {
    rcu::ReadSection readers;
    EXPECT_EQ(timers().queue(value(*map, 2).work), -22);
    ASSERT_EQ(make_work(*map, 2), 0);
    EXPECT_EQ(timers().queue(value(*map, 2).work), -22);
    ASSERT_EQ(timers().set_callback(value(*map, 2).work, prog->entry(), 1), 0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(timers().queue(value(*map, 2).work), 0);
  }
  gate.open = true;
  machine_.worker.drain();
  EXPECT_EQ(ran, 1);
  // And an item whose map goes while it waits does not run.
  gate.open = false;
  machine_.worker.post(&gate);
  {
    rcu::ReadSection readers;
    EXPECT_EQ(timers().queue(value(*map, 2).work), 0);
  }
  map.reset();
  gate.open = true;
  machine_.worker.drain();
  EXPECT_EQ(ran, 1);
}

/// Real time, so that the thread runs.
class RealHost final : public HostServices {
 public:
  std::uint64_t ktime_ns() override {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
  }
  std::uint64_t boot_ns() override { return ktime_ns(); }
  std::uint64_t tai_ns() override { return ktime_ns(); }
  TaskView current_task() override { return {}; }
  std::uint32_t possible_cpus() override { return 2; }
  void printk(std::string_view, std::string_view) override {}
};

/// The thread sleeps for a late timer when an early one comes, and for none when the first comes.
TEST(TimersThreadTest, WakesForWhatIsDueSooner) {
  RealHost host;
  Machine machine(host);
  DeferredHost maps;
  maps.machine = &machine;
  {
    maps::MapSpec spec = maps::testing::spec(BPF_MAP_TYPE_ARRAY, 4, sizeof(Value), 2);
    spec.fields.fields = {{FieldKind::kTimer, offsetof(Value, timer), 16, nullptr, 0, 0}};
    UserRef<maps::Map> map(maps::testing::make(maps, spec).value());
    std::atomic<int> ran{0};
    auto prog = Ref<FakeProgram>::adopt(new FakeProgram(maps.table, machine, [&](maps::Map&, std::uint32_t key, Value&) {
      EXPECT_EQ(key, 1u);
      ++ran;
    }));
    for (const std::uint32_t key : {0u, 1u}) {
      rcu::ReadSection readers;
      void* timer = maps::testing::find<Value>(*map, key)->timer;
      ASSERT_EQ(machine.timers.make(DeferredItem::Kind::kTimer, timer, *map), 0);
      ASSERT_EQ(machine.timers.set_callback(timer, prog->entry(), 1), 0);
    }
    for (int turn = 1; turn <= 20; ++turn) {
      {
        rcu::ReadSection readers;
        if (turn == 10) {
          EXPECT_EQ(machine.timers.arm(maps::testing::find<Value>(*map, 0u)->timer, UINT64_MAX - 1), 0);
        }
        EXPECT_EQ(machine.timers.arm(maps::testing::find<Value>(*map, 1u)->timer, 0), 0);
      }
      while (ran != turn) std::this_thread::yield();
    }
  }
  rcu::drain();
}

TEST(TimersStressTest, TimersRunWhileElementsComeAndGo) {
  RealHost host;
  Machine machine(host);
  DeferredHost maps;
  maps.machine = &machine;
  std::atomic<std::uint64_t> ran{0};
  {
    maps::MapSpec spec = maps::testing::spec(BPF_MAP_TYPE_HASH, 4, sizeof(Value), 16);
    spec.fields.fields = {{FieldKind::kTimer, offsetof(Value, timer), 16, nullptr, 0, 0},
                          {FieldKind::kWork, offsetof(Value, work), 16, nullptr, 0, 0}};
    UserRef<maps::Map> map(maps::testing::make(maps, spec).value());
    auto prog = Ref<FakeProgram>::adopt(new FakeProgram(maps.table, machine, [&](maps::Map&, std::uint32_t key, Value& v) {
      EXPECT_LT(key, 16u);
      ++ran;
      if (ran % 3 == 0) machine.timers.arm(v.timer, 0);
      if (ran % 5 == 0) machine.timers.queue(v.work);
    }));
    std::vector<std::thread> threads;
    for (std::uint32_t t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        for (std::uint32_t i = 0; i < 1500; ++i) {
          const std::uint32_t key = (i * 7 + t) % 16;
          if (i % 4 == 0) maps::testing::erase(*map, key);
          if (i % 4 == 1) maps::testing::update(*map, key, Value{key, {}, {}});
          rcu::ReadSection readers;
          Value* v = maps::testing::find<Value>(*map, key);
          if (v == nullptr) continue;
          machine.timers.make(DeferredItem::Kind::kTimer, v->timer, *map);
          machine.timers.make(DeferredItem::Kind::kWork, v->work, *map);
          machine.timers.set_callback(v->timer, prog->entry(), 1);
          machine.timers.set_callback(v->work, prog->entry(), 1);
          machine.timers.arm(v->timer, 0);
          if (i % 8 == 3) machine.timers.cancel(v->timer);
          machine.timers.queue(v->work);
        }
      });
    for (std::thread& thread : threads) thread.join();
    // The threads may have been quicker than the timers' own.
    maps::testing::update(*map, std::uint32_t{1}, Value{1, {}, {}});
    {
      rcu::ReadSection readers;
      Value* v = maps::testing::find<Value>(*map, std::uint32_t{1});
      ASSERT_NE(v, nullptr);
      machine.timers.make(DeferredItem::Kind::kTimer, v->timer, *map);
      machine.timers.set_callback(v->timer, prog->entry(), 1);
      EXPECT_EQ(machine.timers.arm(v->timer, 0), 0);
    }
    while (ran == 0) std::this_thread::yield();
  }
  rcu::drain();
  machine.worker.drain();
  rcu::drain();
}

}  // namespace
}  // namespace ring3::exec
