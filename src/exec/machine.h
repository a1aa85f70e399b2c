// What the programs of one runtime share while they run. One per Runtime; outlives its programs.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "btf/btf.h"
#include "exec/code_memory.h"
#include "exec/cpu_slots.h"
#include "exec/fault.h"
#include "exec/host_services.h"
#include "exec/tasks.h"
#include "exec/timers.h"
#include "object/worker.h"

namespace ring3::exec {

struct Machine {
  explicit Machine(HostServices& services)
      : host(services), slots(services.possible_cpus()), timers(services, worker) {}
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  const FaultGuard faults;  // untrusted loads read as zero
  HostServices& host;
  CpuSlots slots;
  CodeMemory code;  // thunks and compiled programs
  Tasks tasks;      // the threads of the process
  Worker worker;    // what may block
  Timers timers;    // ends first
  /// What bpf_snprintf_btf() takes type ids of; null: nothing. Set before programs run.
  std::shared_ptr<const btf::Btf> host_btf;
  /// Holders of BPF_ENABLE_STATS; run time is measured while it is above zero.
  std::atomic<std::uint32_t> stats_users{0};
};

/// Slot of the calling thread while it runs a program that touches per-CPU state; else a valid CPU number
/// that nothing protects. This is what MapHost::current_cpu() answers.
std::uint32_t current_cpu(const Machine& machine) noexcept;

}  // namespace ring3::exec
