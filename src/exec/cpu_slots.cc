#include "exec/cpu_slots.h"

#include <sched.h>

#include "base/check.h"

namespace ring3::exec {

CpuSlots::CpuSlots(std::uint32_t count) : count_(count == 0 ? 1 : count), slots_(new Slot[count_]) {}

std::uint32_t CpuSlots::preferred() const noexcept {
  const int cpu = sched_getcpu();
  return cpu < 0 ? 0 : static_cast<std::uint32_t>(cpu) % count_;
}

bool CpuSlots::try_take(std::uint32_t slot) noexcept {
  std::atomic<bool>& taken = slots_[slot].taken;
  // Look before writing, so that a busy slot's line is not pulled away from its lessee.
  return !taken.load(std::memory_order_relaxed) && !taken.exchange(true, std::memory_order_seq_cst);
}

bool CpuSlots::try_any(std::uint32_t first, std::uint32_t& slot) noexcept {
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uint32_t candidate = (first + i) % count_;
    if (try_take(candidate)) {
      slot = candidate;
      return true;
    }
  }
  return false;
}

std::uint32_t CpuSlots::acquire() noexcept {
  std::uint32_t slot = preferred();
  if (try_take(slot) || try_any(slot, slot)) return slot;
  // No wake-up is lost: the waiter announces itself and then looks at the slots, release() frees a slot
  // and then looks for waiters, all sequentially consistent, so at least one of them sees the other.
  waiters_.fetch_add(1, std::memory_order_seq_cst);
  for (;;) {
    const std::uint32_t epoch = released_.load(std::memory_order_seq_cst);
    if (try_any(slot, slot)) break;
    released_.wait(epoch, std::memory_order_seq_cst);
  }
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  return slot;
}

void CpuSlots::release(std::uint32_t slot) noexcept {
  RING3_CHECK(slot < count_, "CPU slot out of range");
  slots_[slot].taken.store(false, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) != 0) {
    released_.fetch_add(1, std::memory_order_seq_cst);
    released_.notify_one();
  }
}

}  // namespace ring3::exec
