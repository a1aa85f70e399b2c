// What running programs may ask of this machine: clocks, the thread that runs, the log.
#pragma once

#include "exec/host_services.h"
#include "ring3/log.h"

namespace ring3 {

class MachineServices final : public exec::HostServices {
 public:
  MachineServices(Log* log, std::uint32_t possible_cpus);

  std::uint64_t ktime_ns() override;
  std::uint64_t boot_ns() override;
  std::uint64_t tai_ns() override;
  exec::TaskView current_task() override;
  std::uint32_t possible_cpus() override { return possible_cpus_; }
  void printk(std::string_view module, std::string_view line) override;

 private:
  Log* const log_;
  const std::uint32_t possible_cpus_;
};

}  // namespace ring3
