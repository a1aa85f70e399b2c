// A host for tests: a clock that stands still until told otherwise, one task, a captured log.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "exec/host_services.h"

namespace ring3::test {

class FakeHost final : public exec::HostServices {
 public:
  explicit FakeHost(std::uint32_t cpus = 4) : cpus_(cpus) {
    task_.tgid = 1000;
    task_.tid = 1001;
    task_.uid = 500;
    task_.gid = 501;
    set_comm("fake");
  }

  std::uint64_t ktime_ns() override { return now_ns_.load(); }
  std::uint64_t boot_ns() override { return now_ns_.load() + kBootAheadNs; }
  std::uint64_t tai_ns() override { return now_ns_.load() + kTaiAheadNs; }
  exec::TaskView current_task() override { return task_; }
  std::uint32_t possible_cpus() override { return cpus_; }
  void printk(std::string_view, std::string_view line) override {
    MutexLock lock(mutex_);
    lines_.emplace_back(line);
  }

  bool clock_is_manual() override { return true; }

  void set_now(std::uint64_t ns) { now_ns_.store(ns); }
  void advance(std::uint64_t ns) { now_ns_.fetch_add(ns); }
  exec::TaskView& task() { return task_; }
  void set_comm(std::string_view comm) {
    std::memset(task_.comm, 0, sizeof(task_.comm));
    std::memcpy(task_.comm, comm.data(), comm.size() < sizeof(task_.comm) ? comm.size() : sizeof(task_.comm) - 1);
  }
  std::vector<std::string> take_lines() {
    MutexLock lock(mutex_);
    return std::move(lines_);
  }

  static constexpr std::uint64_t kBootAheadNs = 1'000'000'000;
  static constexpr std::uint64_t kTaiAheadNs = 37'000'000'000;

 private:
  const std::uint32_t cpus_;
  std::atomic<std::uint64_t> now_ns_{1'000'000};
  exec::TaskView task_{};
  Mutex mutex_;
  std::vector<std::string> lines_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::test
