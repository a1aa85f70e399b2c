// The runner with its built-in scheduler, driven slice by slice.
#include "runner.h"

#include <gtest/gtest.h>

#include "load.h"

namespace taskd {
namespace {

using std::chrono::seconds;

struct Script {
  std::string steps;  // a letter each: a again, s sleep; then done
  std::size_t at = 0;
  std::string* trace = nullptr;
  char mark = '?';
};
Step follow(Task&, void* arg) {
  Script& script = *static_cast<Script*>(arg);
  if (script.trace != nullptr) script.trace->push_back(script.mark);
  if (script.at == script.steps.size()) return Step::kDone;
  return script.steps[script.at++] == 'a' ? Step::kAgain : Step::kSleep;
}

class RunnerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Runner> runner_ = Runner::create({.name = "test"}).value();
  /// CPU 0 runs what there is to run; how many slices.
  int run_all() {
    int slices = 0;
    while (runner_->run_slice(0)) ++slices;
    return slices;
  }
};

TEST_F(RunnerTest, TasksRunInTheOrderOfComing) {
  std::string trace;
  Script a{.steps = "aa", .trace = &trace, .mark = 'A'}, b{.steps = "a", .trace = &trace, .mark = 'B'};
  runner_->spawn("a", 100, &follow, &a);
  runner_->spawn("b", 100, &follow, &b);
  EXPECT_EQ(run_all(), 2);
  EXPECT_EQ(trace, "AAABB");
  EXPECT_EQ(runner_->counts().done, 2u);
}

TEST_F(RunnerTest, ASliceEndsAndTheNextTaskRuns) {
  std::string trace;
  Script a{.steps = std::string(TASKD_SLICE_DFL + 1, 'a'), .trace = &trace, .mark = 'A'}, b{.trace = &trace, .mark = 'B'};
  runner_->spawn("a", 100, &follow, &a);
  runner_->spawn("b", 100, &follow, &b);
  EXPECT_EQ(run_all(), 3);
  EXPECT_EQ(trace, std::string(TASKD_SLICE_DFL, 'A') + "BAA");
}

TEST_F(RunnerTest, SleepersRunWhenTheyAreWoken) {
  Script a{.steps = "sas"};
  const std::uint64_t id = runner_->spawn("a", 100, &follow, &a);
  EXPECT_EQ(run_all(), 1);
  EXPECT_EQ(run_all(), 0);
  EXPECT_TRUE(runner_->wake(id));
  EXPECT_TRUE(runner_->wake(id)) << "it is runnable already";
  EXPECT_EQ(run_all(), 1);
  EXPECT_EQ(a.at, 3u);
  EXPECT_TRUE(runner_->wake(id));
  EXPECT_EQ(run_all(), 1);
  EXPECT_FALSE(runner_->wake(id)) << "it has ended";
  EXPECT_FALSE(runner_->wake(1000));
}

TEST(CheckOpsTest, NameFlagsAndTimeout) {
  taskd_ops ops{};
  EXPECT_EQ(check_ops(ops).error(), ring3::Errno::kInval) << "no name";
  ops.name[0] = 'x';
  EXPECT_TRUE(check_ops(ops).ok());
  ops.flags = 1u << 31;
  EXPECT_EQ(check_ops(ops).error(), ring3::Errno::kInval);
  ops.flags = TASKD_OPS_DUMP_ALWAYS;
  ops.timeout_ms = TASKD_TIMEOUT_MAX_MS + 1;
  EXPECT_EQ(check_ops(ops).error(), ring3::Errno::kTooBig);
  ops.timeout_ms = TASKD_TIMEOUT_MAX_MS;
  EXPECT_TRUE(check_ops(ops).ok());
}

struct SelfWaker {
  Runner* runner;
  std::uint64_t runs = 0;
};

TEST_F(RunnerTest, AWakeUpWhileATaskRunsIsNotLost) {
  SelfWaker waker{runner_.get()};
  runner_->spawn("a", 100, [](Task& task, void* arg) {
    auto& w = *static_cast<SelfWaker*>(arg);
    if (++w.runs == 3) return Step::kDone;
    w.runner->wake(task.id);
    return Step::kSleep;
  }, &waker);
  EXPECT_EQ(run_all(), 3);
  EXPECT_EQ(waker.runs, 3u);
}

TEST_F(RunnerTest, WorkersRunALoadAndLoseNothing) {
  Load load(*runner_);
  load.start(1, 2, 4, 0);
  runner_->start();
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (load.jobs_done() < 500 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_GE(load.jobs_done(), 500u);
  EXPECT_TRUE(load.finish(seconds(60)));
  runner_->stop();
  EXPECT_EQ(runner_->counts().spawned, runner_->counts().done);
}

TEST_F(RunnerTest, TasksThatHaveNotEndedGoWithTheRunner) {
  ring3::wait_for_readers();
  const std::uint64_t before = Task::objects();
  Script a{.steps = "s"}, b;
  runner_->spawn("asleep", 100, &follow, &a);
  run_all();
  runner_->spawn("queued", 100, &follow, &b);
  EXPECT_EQ(Task::objects(), before + 2);
  runner_ = nullptr;
  EXPECT_EQ(Task::objects(), before);
}

}  // namespace
}  // namespace taskd
