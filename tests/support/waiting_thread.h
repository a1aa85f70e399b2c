// A thread for tests that look at the threads of the process.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

namespace ring3::test {

/// Runs `first`, then stays until it is let go.
class WaitingThread {
 public:
  template <typename First>
  explicit WaitingThread(First first) : thread_([this, first] {
    first();
    tid_ = static_cast<std::uint32_t>(::syscall(SYS_gettid));
    while (!go_) std::this_thread::yield();
  }) {
    while (tid_ == 0) std::this_thread::yield();
  }
  WaitingThread() : WaitingThread([] {}) {}
  ~WaitingThread() { end(); }
  WaitingThread(const WaitingThread&) = delete;
  WaitingThread& operator=(const WaitingThread&) = delete;

  std::uint32_t tid() const { return tid_; }

  /// Afterwards /proc does not know it either: the kernel takes a thread off its lists a moment after who joins it is told. Waits for
  /// that 10 s at most.
  void end() {
    if (!thread_.joinable()) return;
    go_ = true;
    thread_.join();
    const std::string entry = "/proc/self/task/" + std::to_string(tid_);
    const auto late = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (::access(entry.c_str(), F_OK) == 0 && std::chrono::steady_clock::now() < late) std::this_thread::yield();
  }

 private:
  std::atomic<std::uint32_t> tid_{0};
  std::atomic<bool> go_{false};
  std::thread thread_;
};

}  // namespace ring3::test
