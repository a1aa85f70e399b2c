// One scheduler's time in charge: its table, its queues, and how it ends. And the call of one of its members, which tells kfuncs who
// asks: they are plain functions, and find the call that they are part of by their thread.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "queue.h"
#include "taskd_ops.h"

namespace taskd {

class Runner;

struct Tenure {
  Tenure(Runner& of, const taskd_ops& table);

  /// The first reason counts. Any thread, under any lock; needs no memory, as what follows.
  void end(taskd_exit_kind kind, std::int64_t code, std::string_view message) noexcept;
  template <typename... Args>
  void end(taskd_exit_kind kind, std::int64_t code, fmt::format_string<Args...> format, Args&&... args) {
    char text[sizeof info.message];
    end(kind, code, put(text, format, std::forward<Args>(args)...));
  }
  /// TASKD_EXIT_NONE while there is no reason.
  std::uint32_t ending() const noexcept { return ending_.load(std::memory_order_acquire); }
  /// The host, or the scheduler itself, wants it out.
  bool to_eject() const noexcept { return ending() >= TASKD_EXIT_BPF; }
  /// Under the runner's lock.
  void dump_line(std::string_view line) noexcept;
  template <typename... Args>
  void dump_line(fmt::format_string<Args...> format, Args&&... args) {
    char text[128];
    dump_line(put(text, format, std::forward<Args>(args)...));
  }

  Runner& runner;
  const taskd_ops& ops;  // gone when its link has: see Runner::leave()
  const std::string name;
  const std::uint64_t timeout_ns;
  std::map<std::uint64_t, Queue> queues;  // the runner's lock
  /// Complete when ending() says so, but for the dump, which belongs to the runner's lock.
  taskd_exit_info info{};

 private:
  template <std::size_t N, typename... Args>
  static std::string_view put(char (&text)[N], fmt::format_string<Args...> format, Args&&... args) {
    const auto made = fmt::format_to_n(text, N, format, std::forward<Args>(args)...);
    return {text, std::min(made.size, N)};
  }

  std::size_t dump_length_ = 0;
  std::mutex reason_mutex_;  // nobody who holds it takes another one
  std::atomic<std::uint32_t> ending_{TASKD_EXIT_NONE};
};

enum class Member : std::uint8_t {
  kSelectCpu, kEnqueue, kDispatch, kRunning, kStopping, kInitTask, kEnable, kExitTask, kDump, kInit, kExit,
};
const char* member_name(Member member);

/// A member of a scheduler that runs on this thread.
struct Call {
  Call(Tenure& of, Member what, Task* about = nullptr, std::int32_t on_cpu = -1);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// Null: none, as in a timer's callback.
  static Call* current();
  /// The runner's lock is held.
  bool locked() const { return member != Member::kInit && member != Member::kExit; }

  Tenure& tenure;
  const Member member;
  Task* const task;
  const std::int32_t cpu;
  bool to_local = false;  // select_cpu has inserted the task into the local queue of the CPU it is about to name
};

}  // namespace taskd
