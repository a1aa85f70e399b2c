#include "exec/cpu_slots.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"

namespace ring3::exec {

using detail::SlotThread;

constinit thread_local SlotThread* detail::t_slot_thread = nullptr;

namespace {

/// Leases of one slot in a row that make it a thread's own: at first, and at most, after it was taken away often.
constexpr std::uint32_t kFirstStreak = 8;
constexpr std::uint32_t kLongestStreak = 4096;

constinit Mutex free_threads_lock;
SlotThread* free_threads RING3_GUARDED_BY(free_threads_lock) = nullptr;
std::atomic<std::uint64_t> last_id{0};

/// Whether running threads can be made to notice what was written before.
bool can_fence_threads() noexcept {
  static const bool can = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return can;
}

/// Every thread of the process has a full fence between two of its instructions.
void fence_threads() noexcept {
  // Slots have owners only where this has worked; if it stops working, exclusion cannot be kept.
  RING3_CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0, "membarrier(2) has been taken away");
}

constinit thread_local bool t_ended = false;

/// Gives the record back when its thread ends. A program that runs even later does without.
struct RecordOwner {
  ~RecordOwner() {
    t_ended = true;
    SlotThread* const record = std::exchange(detail::t_slot_thread, nullptr);
    if (record == nullptr) return;
    MutexLock lock(free_threads_lock);
    record->next_free = free_threads;
    free_threads = record;
  }
};

SlotThread* claim_record() noexcept {
  {
    MutexLock lock(free_threads_lock);
    if (free_threads != nullptr) {
      SlotThread* const record = free_threads;
      free_threads = record->next_free;
      return record;
    }
  }
  return new (std::nothrow) SlotThread;
}

/// Null: this thread has none, as it ends, or for lack of memory.
SlotThread* record_of_thread() noexcept {
  if (detail::t_slot_thread != nullptr || t_ended || !can_fence_threads()) return detail::t_slot_thread;
  thread_local RecordOwner owner;
  (void)owner;
  return detail::t_slot_thread = claim_record();
}

}  // namespace

CpuSlots::CpuSlots(std::uint32_t count)
    : count_(count == 0 ? 1 : count), slots_(new Slot[count_]), id_(last_id.fetch_add(1, std::memory_order_relaxed) + 1) {}

std::uint32_t CpuSlots::preferred() const noexcept {
  const int cpu = sched_getcpu();
  return cpu < 0 ? 0 : static_cast<std::uint32_t>(cpu) % count_;
}

bool CpuSlots::try_take(std::uint32_t slot) noexcept {
  Slot& s = slots_[slot];
  // Look before writing, so that a busy slot's line is not pulled away from its lessee.
  std::uintptr_t holder = s.holder.load(std::memory_order_relaxed);
  if (holder != 0) {
    const SlotThread* const me = detail::t_slot_thread;
    if (me == nullptr || holder != name_of(me) || me->inside.load(std::memory_order_relaxed) == &s) return false;
  }
  return s.holder.compare_exchange_strong(holder, kTaken, std::memory_order_seq_cst);
}

/// Takes a slot that belongs to a thread which is not inside.
bool CpuSlots::try_take_away(std::uint32_t slot) noexcept {
  Slot& s = slots_[slot];
  std::uintptr_t holder = s.holder.load(std::memory_order_acquire);
  if (holder == 0 || holder == kTaken) return holder == 0 && try_take(slot);
  auto* const owner = reinterpret_cast<const SlotThread*>(holder);
  if (owner->inside.load(std::memory_order_relaxed) == &s) return false;
  if (!s.holder.compare_exchange_strong(holder, kTaken, std::memory_order_seq_cst)) return false;
  // The owner goes in by writing `inside` and then reading `holder`. With a fence between the two on its side, and one
  // between our write and our read, at least one of us sees the other.
  fence_threads();
  if (owner->inside.load(std::memory_order_acquire) != &s) return true;
  s.holder.store(holder, std::memory_order_seq_cst);
  // Who looked meanwhile saw a slot that was taken and may sleep by now, and the owner may have left by now.
  if (waiters_.load(std::memory_order_seq_cst) != 0) wake();
  return false;
}

bool CpuSlots::try_any(std::uint32_t first, std::uint32_t& slot) noexcept {
  for (const auto attempt : {&CpuSlots::try_take, &CpuSlots::try_take_away})
    for (std::uint32_t i = 0; i < count_; ++i) {
      const std::uint32_t candidate = (first + i) % count_;
      if (!(this->*attempt)(candidate)) continue;
      slot = candidate;
      return true;
    }
  return false;
}

/// Counts this lease; whether the slot is to be the thread's own from now on.
bool CpuSlots::earns(SlotThread& me, const Slot& slot) noexcept {
  if (me.inside.load(std::memory_order_relaxed) != nullptr) return false;
  me.streak = me.last == &slot ? me.streak + 1 : 1;
  me.last = &slot;
  return me.streak >= std::max(me.streak_needed, kFirstStreak);
}

std::uint32_t CpuSlots::acquire_slowly() noexcept {
  SlotThread* const me = record_of_thread();
  std::uint32_t slot = preferred();
  if (!try_take(slot) && !try_any(slot, slot)) {
    // No wake-up is lost: the waiter announces itself and then looks at the slots, release() frees a slot
    // and then looks for waiters, with a fence between the two on each side, so at least one of them sees the other.
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    if (can_fence_threads()) fence_threads();
    for (;;) {
      const std::uint32_t epoch = released_.load(std::memory_order_seq_cst);
      if (try_any(slot, slot)) break;
      released_.wait(epoch, std::memory_order_seq_cst);
    }
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (me != nullptr && earns(*me, slots_[slot])) {
    me->own = &slots_[slot];
    me->own_state.cpu = slot;
    me->slots_id = id_;
    me->streak = 0;
    me->inside.store(&slots_[slot], std::memory_order_release);
    slots_[slot].holder.store(name_of(me), std::memory_order_release);
  }
  return slot;
}

/// The thread's name is off its slot.
std::uint32_t CpuSlots::lost_own() noexcept {
  SlotThread* const me = detail::t_slot_thread;
  me->inside.store(nullptr, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_relaxed) != 0) wake();  // who looked just now took us for a lessee
  me->slots_id = 0;
  me->streak_needed = std::min(std::max(me->streak_needed, kFirstStreak) * 2, kLongestStreak);
  return acquire_slowly();
}

void CpuSlots::release_slowly(std::uint32_t slot) noexcept {
  RING3_CHECK(slot < count_, "CPU slot out of range");
  slots_[slot].holder.store(0, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) != 0) wake();
}

void CpuSlots::wake() noexcept {
  released_.fetch_add(1, std::memory_order_seq_cst);
  released_.notify_one();
}

}  // namespace ring3::exec
