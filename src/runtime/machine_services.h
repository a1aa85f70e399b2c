// What running programs may ask of this machine: clocks, the thread that runs, the log.
#pragma once

#include "exec/host_services.h"
#include "ring3/runtime.h"

namespace ring3 {

class MachineServices final : public exec::HostServices {
 public:
  /// clock: null for the machine's.
  MachineServices(Log* log, std::uint32_t possible_cpus, Clock* clock);

  std::uint64_t ktime_ns() override;
  std::uint64_t boot_ns() override;
  std::uint64_t tai_ns() override;
  exec::TaskView current_task() override;
  std::uint32_t possible_cpus() override { return possible_cpus_; }
  void printk(std::string_view module, std::string_view line) override;
  bool clock_is_manual() override { return clock_ != nullptr; }

 private:
  Log* const log_;
  const std::uint32_t possible_cpus_;
  Clock* const clock_;
};

}  // namespace ring3
