// CPUs in BPF terms: as many slots as the machine has possible CPUs. A run that touches per-CPU state
// leases one, so that no two running programs hold a slot at a time and per-CPU counters are exact
// without atomics (docs/adr/0005-cpu-slots.md).
//
// Locking: none; a slot is one atomic flag on a cache line of its own. A lessee synchronises with the
// former one (release on give-back, acquire on lease), so plain per-CPU data needs nothing else.
// Liveness: acquire() blocks when every slot is taken. A program never blocks while it holds a slot; a
// host function it calls must not wait for another thread's program.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace ring3::exec {

class CpuSlots {
 public:
  /// count: possible CPUs, at least 1 (0 counts as 1).
  explicit CpuSlots(std::uint32_t count);
  CpuSlots(const CpuSlots&) = delete;
  CpuSlots& operator=(const CpuSlots&) = delete;

  std::uint32_t count() const { return count_; }

  /// Leases a slot: the one of the CPU the thread is on when it is free, else any; waits when all are
  /// taken. Not reentrant: nested runs share the outer lease (ProgramEntry sees to it).
  std::uint32_t acquire() noexcept;
  void release(std::uint32_t slot) noexcept;

  /// The slot acquire() would try first. Valid, but not protected by anything.
  std::uint32_t preferred() const noexcept;

 private:
  struct alignas(64) Slot {
    std::atomic<bool> taken{false};
  };
  bool try_take(std::uint32_t slot) noexcept;
  bool try_any(std::uint32_t first, std::uint32_t& slot) noexcept;

  const std::uint32_t count_;
  const std::unique_ptr<Slot[]> slots_;
  alignas(64) std::atomic<std::uint32_t> waiters_{0};
  std::atomic<std::uint32_t> released_{0};  // bumped for waiters only
};

}  // namespace ring3::exec
