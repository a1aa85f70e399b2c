// Something to schedule: hogs of three weights, pairs of tasks that wake each other, and short jobs without end.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "runner.h"

namespace taskd {

class Load {
 public:
  static constexpr std::array<std::uint32_t, 3> kWeights{100, 200, 400};

  explicit Load(Runner& runner) : runner_(runner) {}
  /// Stops the runner, whose tasks call into this.
  ~Load() { runner_.stop(); }

  /// step_ns: how long a step keeps a CPU busy.
  void start(std::uint32_t hogs_per_weight, std::uint32_t pairs, std::uint32_t jobs, std::uint32_t step_ns);
  /// Asks all tasks to end, wakes those that sleep, and waits. False: not in time, so one was lost.
  bool finish(std::chrono::milliseconds at_most);

  /// Steps that the hogs of each weight have run.
  std::array<std::uint64_t, 3> hog_steps() const;
  std::uint64_t jobs_done() const { return jobs_done_.load(std::memory_order_relaxed); }

 private:
  struct Hogs {
    Load* load;
    std::atomic<std::uint64_t> steps{0};
  };
  struct Sleeper {
    Load* load;
    std::atomic<std::uint64_t> partner{0};  // whom it wakes
  };
  static Step run_hog(Task&, void* hogs);
  static Step run_sleeper(Task& task, void* sleeper);
  static Step run_job(Task& task, void* load);
  void spin() const;

  Runner& runner_;
  std::uint32_t step_ns_ = 0;
  std::atomic<bool> ending_{false};
  std::array<Hogs, 3> hogs_{Hogs{this}, Hogs{this}, Hogs{this}};
  std::deque<Sleeper> sleepers_;
  std::vector<std::uint64_t> sleeper_ids_;
  std::atomic<std::uint64_t> jobs_done_{0};
};

}  // namespace taskd
