#include "load.h"

namespace taskd {

namespace {
constexpr std::uint32_t kJobSteps = 5;      // a job ends after
constexpr std::uint32_t kSleeperSteps = 3;  // a sleeper sleeps after
}  // namespace

void Load::start(std::uint32_t hogs_per_weight, std::uint32_t pairs, std::uint32_t jobs, std::uint32_t step_ns) {
  step_ns_ = step_ns;
  for (std::size_t w = 0; w < kWeights.size(); ++w)
    for (std::uint32_t i = 0; i < hogs_per_weight; ++i) runner_.spawn("hog", kWeights[w], &run_hog, &hogs_[w]);
  for (std::uint32_t i = 0; i < 2 * pairs; ++i) {
    Sleeper& sleeper = sleepers_.emplace_back();
    sleeper.load = this;
    sleeper_ids_.push_back(runner_.spawn("sleeper", 100, &run_sleeper, &sleeper));
  }
  for (std::size_t i = 0; i < sleepers_.size(); ++i) {
    sleepers_[i].partner = sleeper_ids_[i ^ 1];
    runner_.wake(sleeper_ids_[i]);  // it may have slept before it had a partner
  }
  for (std::uint32_t i = 0; i < jobs; ++i) runner_.spawn("job", 100, &run_job, this);
}

bool Load::finish(std::chrono::milliseconds at_most) {
  ending_ = true;
  for (const std::uint64_t id : sleeper_ids_) runner_.wake(id);
  return runner_.wait_until_done(at_most);
}

std::array<std::uint64_t, 3> Load::hog_steps() const {
  std::array<std::uint64_t, 3> steps{};
  for (std::size_t w = 0; w < steps.size(); ++w) steps[w] = hogs_[w].steps.load(std::memory_order_relaxed);
  return steps;
}

void Load::spin() const {
  const auto until = std::chrono::steady_clock::now() + std::chrono::nanoseconds(step_ns_);
  while (std::chrono::steady_clock::now() < until) {
  }
}

Step Load::run_hog(Task&, void* arg) {
  Hogs& hogs = *static_cast<Hogs*>(arg);
  hogs.load->spin();
  hogs.steps.fetch_add(1, std::memory_order_relaxed);
  return hogs.load->ending_ ? Step::kDone : Step::kAgain;
}

Step Load::run_sleeper(Task& task, void* arg) {
  Sleeper& sleeper = *static_cast<Sleeper*>(arg);
  sleeper.load->spin();
  if (sleeper.load->ending_) return Step::kDone;
  if (++task.note % kSleeperSteps != 0) return Step::kAgain;
  if (sleeper.partner != 0) sleeper.load->runner_.wake(sleeper.partner);
  return Step::kSleep;
}

/// Its successor is spawned before it ends.
Step Load::run_job(Task& task, void* arg) {
  Load& load = *static_cast<Load*>(arg);
  load.spin();
  if (load.ending_) return Step::kDone;
  if (task.note++ < kJobSteps) return Step::kAgain;
  load.jobs_done_.fetch_add(1, std::memory_order_relaxed);
  load.runner_.spawn("job", 100, &run_job, &load);
  return Step::kDone;
}

}  // namespace taskd
