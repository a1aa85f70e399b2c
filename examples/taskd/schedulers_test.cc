// Schedulers in charge of a runner: objects compiled by clang, opened by libbpf, loaded into a runtime in this process. F_04_8: a
// sched_ext-style scheduler loads, runs, is ejected on error, and its exit record is told.
#include <gtest/gtest.h>
#include <unistd.h>

#include "load.h"
#include "schedulers/wrong_ways.h"
#include "taskd_btf.h"
#include "taskd_exit.h"
#include "tests/integration/libbpf_door.h"
#include "tests/support/log_lines.h"
#include "uapi/bpf.h"

namespace taskd {
namespace {

namespace uapi = ring3::uapi;
using std::chrono::seconds;

#define SCHEDULER(name) TASKD_SCHEDULERS "/" name ".bpf.o"

class HandClock final : public ring3::Clock {
 public:
  std::uint64_t now_ns() override { return now_ns_.load(); }
  void advance_ms(std::uint64_t ms) { now_ns_ += ms * 1'000'000; }

 private:
  std::atomic<std::uint64_t> now_ns_{1'000'000'000};
};

class SchedulersTest : public ::testing::Test {
 protected:
  SchedulersTest() {
    runner_ = Runner::create({.name = "test", .cpus = 2, .log = &log_, .clock = &clock_}).value();
    door_ = std::make_unique<ring3::test::LibbpfDoor>(runner_->runtime(), taskd_btf);
  }
  ~SchedulersTest() override {
    door_ = nullptr;
    runner_ = nullptr;
  }

  /// A link that puts the object's table in charge; a negative errno.
  int attach(ring3::test::ObjectFile& object, const char* table) {
    EXPECT_EQ(object.load(), 0) << door_->take_text() << log_.text();
    return object.attach(table);
  }
  int replace(int link, int map) {
    uapi::bpf_attr attr{};
    attr.link_update.link_fd = static_cast<std::uint32_t>(link);
    attr.link_update.new_map_fd = static_cast<std::uint32_t>(map);
    return static_cast<int>(runner_->runtime().bpf(uapi::BPF_LINK_UPDATE, &attr, sizeof attr));
  }
  /// Closes the link and lets the runtime notice.
  void detach(int link) {
    close(link);
    uapi::bpf_attr attr{};
    (void)runner_->runtime().bpf(uapi::BPF_LINK_GET_NEXT_ID, &attr, sizeof attr);
  }
  /// The map of a link; 0: it is empty.
  std::uint32_t linked_map(int link) {
    uapi::bpf_link_info info{};
    uapi::bpf_attr attr{};
    attr.info.bpf_fd = static_cast<std::uint32_t>(link);
    attr.info.info_len = sizeof info;
    attr.info.info = reinterpret_cast<std::uintptr_t>(&info);
    EXPECT_EQ(runner_->runtime().bpf(uapi::BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr), 0);
    return info.struct_ops.map_id;
  }
  /// What the scheduler itself has written down of its end.
  taskd_exit_record record_of(const ring3::test::ObjectFile& object) {
    taskd_exit_record record{};
    std::uint32_t zero = 0;
    uapi::bpf_attr attr{};
    attr.map_fd = static_cast<std::uint32_t>(object.map(".data.exit"));
    attr.key = reinterpret_cast<std::uintptr_t>(&zero);
    attr.value = reinterpret_cast<std::uintptr_t>(&record);
    EXPECT_EQ(runner_->runtime().bpf(uapi::BPF_MAP_LOOKUP_ELEM, &attr, sizeof attr), 0);
    return record;
  }
  static void choose(ring3::test::ObjectFile& object, wrong_way way) {
    std::size_t bytes = 0;
    void* const rodata = object.initial(".rodata", bytes);
    ASSERT_GE(bytes, sizeof way);
    std::memcpy(rodata, &way, sizeof way);
  }
  ExitRecord last_exit(std::size_t so_many) {
    EXPECT_TRUE(runner_->wait_for_exits(so_many, seconds(60))) << log_.text();
    const std::vector<ExitRecord> exits = runner_->exits();
    return exits.empty() ? ExitRecord{} : exits.back();
  }
  /// `between` is done while the load goes on, until it has done so many jobs. False: not within a minute.
  template <typename F>
  static bool reach(const Load& load, std::uint64_t jobs, F between) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    while (load.jobs_done() < jobs) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      between();
      std::this_thread::yield();
    }
    return true;
  }
  /// Both CPUs take turns until neither has anything to run.
  void run_all() {
    for (bool ran = true; ran;) {
      ran = runner_->run_slice(0);
      ran = runner_->run_slice(1) || ran;
    }
  }

  ring3::test::LogLines log_;
  HandClock clock_;
  std::unique_ptr<Runner> runner_;
  std::unique_ptr<ring3::test::LibbpfDoor> door_;
};

struct Counter {
  std::uint64_t steps = 0, until = 0;
};
Step count(Task&, void* arg) {
  Counter& counter = *static_cast<Counter*>(arg);
  return ++counter.steps == counter.until ? Step::kDone : Step::kAgain;
}

TEST_F(SchedulersTest, F_04_8_SimpleSharesByWeight) {
  ring3::test::ObjectFile simple(SCHEDULER("simple"));
  const int link = attach(simple, "simple");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  EXPECT_EQ(runner_->scheduler(), "simple");
  Counter light{.until = 1'000'000}, heavy{.until = 1'000'000}, heaviest{.until = 1'000'000};
  runner_->spawn("light", 100, &count, &light);
  runner_->spawn("heavy", 200, &count, &heavy);
  runner_->spawn("heaviest", 400, &count, &heaviest);
  for (int slice = 0; slice < 700; ++slice) ASSERT_TRUE(runner_->run_slice(0));
  const double steps = 700.0 * int{TASKD_SLICE_DFL};
  EXPECT_NEAR(static_cast<double>(light.steps) / steps, 1.0 / 7, 0.01);
  EXPECT_NEAR(static_cast<double>(heavy.steps) / steps, 2.0 / 7, 0.01);
  EXPECT_NEAR(static_cast<double>(heaviest.steps) / steps, 4.0 / 7, 0.01);

  detach(link);
  EXPECT_EQ(runner_->scheduler(), "built-in");
  const ExitRecord ended = last_exit(1);
  EXPECT_EQ(to_text(ended), "scheduler \"simple\" has ended: unregistered");
  EXPECT_EQ(ended.info.kind, static_cast<std::uint32_t>(TASKD_EXIT_UNREG));
  for (int slice = 0; slice < 3; ++slice) ASSERT_TRUE(runner_->run_slice(0)) << "the built-in one has all tasks";
}

TEST_F(SchedulersTest, F_04_8_QmapServesAllQueues) {
  ring3::test::ObjectFile qmap(SCHEDULER("qmap"));
  const int link = attach(qmap, "qmap");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  std::deque<Counter> counters;
  for (const std::uint32_t weight : {25u, 100u, 150u, 300u, 800u})
    for (int i = 0; i < 3; ++i)
      runner_->spawn("task", weight, &count, &counters.emplace_back(Counter{.until = 100}));
  run_all();
  EXPECT_EQ(runner_->counts().done, 15u);
  for (const Counter& counter : counters) EXPECT_EQ(counter.steps, 100u);
  detach(link);
  EXPECT_EQ(last_exit(1).info.kind, static_cast<std::uint32_t>(TASKD_EXIT_UNREG));
}

TEST_F(SchedulersTest, F_04_8_CentralDecidesForAllCpus) {
  ring3::test::ObjectFile central(SCHEDULER("central"));
  const int link = attach(central, "central");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  Counter one{.until = 1000}, other{.until = 1000};
  runner_->spawn("one", 100, &count, &one);
  runner_->spawn("other", 100, &count, &other);
  EXPECT_FALSE(runner_->run_slice(1)) << "it asks";
  EXPECT_TRUE(runner_->run_slice(0)) << "it gives one to CPU 1 and one to itself, for as long as it likes";
  EXPECT_EQ(one.steps + other.steps, 1000u);
  EXPECT_TRUE(runner_->run_slice(1));
  EXPECT_EQ(runner_->counts().done, 2u);

  // Under load its timer ends slices; the clock is moved by hand.
  Load load(*runner_);
  load.start(1, 2, 4, 0);
  runner_->start();
  EXPECT_TRUE(reach(load, 300, [&] {
    clock_.advance_ms(1);
    runner_->runtime().run_timers();
  }));
  EXPECT_TRUE(load.finish(seconds(60)));
  runner_->stop();
  EXPECT_EQ(runner_->scheduler(), "central") << log_.text();
  EXPECT_EQ(runner_->counts().spawned, runner_->counts().done);
  detach(link);
}

TEST_F(SchedulersTest, F_04_8_ABadCpuEjects) {
  ring3::test::ObjectFile wrong(SCHEDULER("wrong_cpu"));
  const int link = attach(wrong, "wrong_cpu");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  std::deque<Counter> counters;
  for (int i = 0; i < 12; ++i) runner_->spawn("task", 100, &count, &counters.emplace_back(Counter{.until = 1}));
  EXPECT_EQ(runner_->scheduler(), "built-in") << "at that moment, before its link goes";
  const ExitRecord ended = last_exit(1);
  EXPECT_EQ(ended.info.kind, static_cast<std::uint32_t>(TASKD_EXIT_ERROR));
  EXPECT_STREQ(ended.info.message, "select_cpu() chose CPU 9999 of 2 for task[10]");
  EXPECT_NE(std::string(ended.info.dump).find("global queue: "), std::string::npos) << ended.info.dump;
  EXPECT_NE(log_.text().find("scheduler \"wrong_cpu\" has ended: error (select_cpu() chose CPU 9999 of 2 for task[10])\n  CPU 0: "),
            std::string::npos) << log_.text();
  EXPECT_EQ(linked_map(link), 0u) << "its link has hung up";
  const taskd_exit_record told = record_of(wrong);
  EXPECT_EQ(told.kind, TASKD_EXIT_ERROR);
  EXPECT_STREQ(told.reason, "error");
  EXPECT_STREQ(told.message, ended.info.message);
  EXPECT_STREQ(told.dump, ended.info.dump);
  run_all();
  EXPECT_EQ(runner_->counts().done, 12u);
  close(link);
}

TEST_F(SchedulersTest, F_04_8_AnErrorOfItsOwnEjects) {
  ring3::test::ObjectFile wrong(SCHEDULER("wrong_error"));
  const int link = attach(wrong, "wrong_error");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  std::deque<Counter> counters;
  for (int i = 0; i < 150; ++i) runner_->spawn("task", 100, &count, &counters.emplace_back(Counter{.until = 30}));
  run_all();
  EXPECT_EQ(runner_->counts().done, 150u);
  const ExitRecord ended = last_exit(1);
  EXPECT_EQ(ended.info.kind, static_cast<std::uint32_t>(TASKD_EXIT_ERROR_BPF));
  EXPECT_STREQ(ended.info.message, "task[100] is one too many");
  EXPECT_EQ(linked_map(link), 0u);
  EXPECT_STREQ(record_of(wrong).message, ended.info.message);
  close(link);
}

TEST_F(SchedulersTest, F_04_8_TheWatchdogEjects) {
  ring3::test::ObjectFile wrong(SCHEDULER("wrong_stall"));
  const int link = attach(wrong, "wrong_stall");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  std::deque<Counter> counters;
  for (int i = 0; i < 6; ++i) runner_->spawn("task", 100, &count, &counters.emplace_back(Counter{.until = 1}));
  run_all();
  EXPECT_EQ(runner_->counts().done, 4u) << "3 and 6 are forgotten";
  clock_.advance_ms(500);
  runner_->check_watchdog();
  EXPECT_EQ(runner_->scheduler(), "wrong_stall");
  clock_.advance_ms(1);
  runner_->check_watchdog();
  EXPECT_EQ(runner_->scheduler(), "built-in");
  const ExitRecord ended = last_exit(1);
  EXPECT_EQ(ended.info.kind, static_cast<std::uint32_t>(TASKD_EXIT_ERROR_STALL));
  EXPECT_EQ(to_text(ended).substr(0, 86), "scheduler \"wrong_stall\" has ended: runnable task stall (task[3] has not run for 501 ms");
  EXPECT_NE(std::string(ended.info.dump).find("task[6]: runnable for 501 ms, in no queue\n"), std::string::npos) << ended.info.dump;
  run_all();
  EXPECT_EQ(runner_->counts().done, 6u);
  close(link);
}

struct WrongWay {
  wrong_way way;
  std::uint32_t kind;
  const char* message;
  std::int64_t code = 0;
};
void PrintTo(const WrongWay& way, std::ostream* to) { *to << way.message; }
constexpr WrongWay kWrongWays[] = {
    {WRONG_QUEUE, TASKD_EXIT_ERROR, "enqueue() inserted task[1] into queue 77, which is not there"},
    {WRONG_LOCAL_CPU, TASKD_EXIT_ERROR, "enqueue() inserted task[1] on CPU 77 of 2"},
    {WRONG_TASK, TASKD_EXIT_ERROR, "enqueue() inserted task[1], which it was not about"},
    {WRONG_ORDER, TASKD_EXIT_ERROR, "enqueue() inserted task[2] into a queue of the other order"},
    {WRONG_KICK, TASKD_EXIT_ERROR, "taskd_kick_cpu() kicked CPU -1 of 2"},
    {WRONG_LEAVES, TASKD_EXIT_BPF, "enough of task", 7},
    {WRONG_LOOK, TASKD_EXIT_ERROR, "dispatch() looked into queue 77, which is not there"},
    {WRONG_PLACE, TASKD_EXIT_ERROR, "taskd_dsq_insert() was called in stopping"},
    {WRONG_TIMER, TASKD_EXIT_ERROR_BPF, "its time has come"},
};

class WrongWays : public SchedulersTest, public ::testing::WithParamInterface<WrongWay> {};

TEST_P(WrongWays, F_04_8_Eject) {
  const WrongWay& wrong = GetParam();
  ring3::test::ObjectFile object(SCHEDULER("wrong_ways"));
  choose(object, wrong.way);
  const int link = attach(object, "wrong_ways");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  std::deque<Counter> counters;
  for (int i = 0; i < 3; ++i) runner_->spawn("task", 100, &count, &counters.emplace_back(Counter{.until = 50}));
  clock_.advance_ms(1);
  runner_->runtime().run_timers();
  run_all();
  const ExitRecord ended = last_exit(1);
  EXPECT_EQ(ended.info.kind, wrong.kind);
  EXPECT_STREQ(ended.info.message, wrong.message);
  EXPECT_EQ(ended.info.exit_code, wrong.code);
  EXPECT_EQ(linked_map(link), 0u);
  EXPECT_EQ(record_of(object).exit_code, wrong.code);
  EXPECT_STREQ(record_of(object).message, wrong.message);
  EXPECT_EQ(runner_->scheduler(), "built-in");
  run_all();
  EXPECT_EQ(runner_->counts().done, 3u);
  close(link);
}

INSTANTIATE_TEST_SUITE_P(All, WrongWays, ::testing::ValuesIn(kWrongWays));

TEST_F(SchedulersTest, F_04_8_WhoDoesNotGetThereLeavesTheOtherInCharge) {
  ring3::test::ObjectFile simple(SCHEDULER("simple"));
  const int link = attach(simple, "simple");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  Counter counter{.until = 100};
  runner_->spawn("task", 100, &count, &counter);
  constexpr struct {
    wrong_way way;
    int result;
    const char* message;
  } kWays[] = {
      {WRONG_INIT, -ENOSPC, "init() failed with -28"},
      {WRONG_INIT_SAYS, -EINVAL, "not today"},
      {WRONG_INIT_TASK, -ENOSPC, "init_task() failed with -28 for task[1]"},
  };
  std::size_t ended = 0;
  for (const auto& wrong : kWays) {
    ring3::test::ObjectFile object(SCHEDULER("wrong_ways"));
    choose(object, wrong.way);
    ASSERT_EQ(object.load(), 0) << door_->take_text() << log_.text();
    ASSERT_EQ(object.fill("wrong_ways"), 0);
    EXPECT_EQ(replace(link, object.map("wrong_ways")), wrong.result) << wrong.message;
    EXPECT_STREQ(last_exit(++ended).info.message, wrong.message);
    EXPECT_STREQ(record_of(object).message, wrong.message);
    EXPECT_EQ(runner_->scheduler(), "simple");
  }
  run_all();
  EXPECT_EQ(counter.steps, 100u);
  detach(link);
}

TEST_F(SchedulersTest, F_04_8_AnotherOneIsBusyAndReplacingIsNot) {
  ring3::test::ObjectFile simple(SCHEDULER("simple")), qmap(SCHEDULER("qmap"));
  const int link = attach(simple, "simple");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  EXPECT_EQ(attach(qmap, "qmap"), -EBUSY);
  Counter long_one{.until = 1000};
  runner_->spawn("task", 100, &count, &long_one);
  ASSERT_TRUE(runner_->run_slice(0));
  ASSERT_EQ(replace(link, qmap.map("qmap")), 0) << log_.text();
  EXPECT_EQ(runner_->scheduler(), "qmap");
  EXPECT_EQ(to_text(last_exit(1)), "scheduler \"simple\" has ended: replaced by another scheduler (by qmap)");
  run_all();
  EXPECT_EQ(long_one.steps, 1000u);
  detach(link);
}

TEST_F(SchedulersTest, F_04_8_NoTaskIsLostBySchedulersReplacedUnderLoad) {
  ring3::test::ObjectFile simple(SCHEDULER("simple")), qmap(SCHEDULER("qmap"));
  const int link = attach(simple, "simple");
  ASSERT_GT(link, 0) << door_->take_text() << log_.text();
  ASSERT_EQ(qmap.load(), 0) << door_->take_text() << log_.text();
  ASSERT_EQ(qmap.fill("qmap"), 0) << door_->take_text() << log_.text();
  Load load(*runner_);
  load.start(1, 4, 8, 0);
  runner_->start();
  for (int swap = 0; swap < 100; ++swap) {
    ASSERT_TRUE(reach(load, load.jobs_done() + 20, [] {})) << runner_->scheduler();
    ASSERT_EQ(replace(link, swap % 2 == 0 ? qmap.map("qmap") : simple.map("simple")), 0) << log_.text();
  }
  EXPECT_TRUE(load.finish(seconds(60)));
  runner_->stop();
  EXPECT_EQ(runner_->scheduler(), "simple");
  const Counts counts = runner_->counts();
  EXPECT_EQ(counts.spawned, counts.done);
  EXPECT_EQ(counts.takeovers, 101u);
  for (const ExitRecord& ended : runner_->exits()) EXPECT_EQ(ended.info.kind, static_cast<std::uint32_t>(TASKD_EXIT_REPLACED)) << to_text(ended);
  EXPECT_TRUE(runner_->wait_for_exits(100, seconds(0)));
  detach(link);
}

TEST_F(SchedulersTest, F_04_8_WrongOnesUnderLoadLoseNothing) {
  Load load(*runner_);
  load.start(1, 4, 8, 0);
  runner_->start();
  std::size_t ended = 0;
  for (int round = 0; round < 10; ++round) {
    for (const char* const wrong : {"wrong_cpu", "wrong_error"}) {
      ring3::test::ObjectFile object((std::string(TASKD_SCHEDULERS "/") + wrong + ".bpf.o").c_str());
      const int link = attach(object, wrong);
      ASSERT_GT(link, 0) << door_->take_text() << log_.text();
      ASSERT_TRUE(runner_->wait_for_exits(++ended, seconds(60))) << log_.text();
      EXPECT_EQ(runner_->exits().back().scheduler, wrong);
      EXPECT_GE(runner_->exits().back().info.kind, static_cast<std::uint32_t>(TASKD_EXIT_ERROR));
      close(link);
    }
  }
  EXPECT_TRUE(load.finish(seconds(60)));
  runner_->stop();
  EXPECT_EQ(runner_->counts().spawned, runner_->counts().done);
}

TEST_F(SchedulersTest, ASchedulerInChargeLeavesWithItsHost) {
  ring3::test::ObjectFile qmap(SCHEDULER("qmap"));
  ASSERT_GT(attach(qmap, "qmap"), 0) << door_->take_text() << log_.text();
  Counter counter{.until = 5};
  runner_->spawn("task", 100, &count, &counter);
  door_ = nullptr;
  runner_ = nullptr;
  EXPECT_NE(log_.text().find("scheduler \"qmap\" has ended: unregistered"), std::string::npos) << log_.text();
}

}  // namespace
}  // namespace taskd
