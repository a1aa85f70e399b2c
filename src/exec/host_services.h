// What running programs may ask of the host. The runtime implements it; tests use a fake with a
// settable clock. Every function is called on the thread that runs the program, never blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace ring3::exec {

struct TaskView {
  std::uint32_t tgid, tid, uid, gid;
  char comm[16];
};

class HostServices {
 public:
  virtual std::uint64_t ktime_ns() = 0;        // CLOCK_MONOTONIC
  virtual std::uint64_t boot_ns() = 0;
  virtual std::uint64_t tai_ns() = 0;
  virtual TaskView current_task() = 0;
  virtual std::uint32_t possible_cpus() = 0;
  /// module: of the program that prints, "" for none.
  virtual void printk(std::string_view module, std::string_view line) = 0;
  /// Nothing but the host moves the clock, and it then calls Timers::run_due(): no thread waits for it.
  virtual bool clock_is_manual() { return false; }

 protected:
  ~HostServices() = default;
};

}  // namespace ring3::exec
