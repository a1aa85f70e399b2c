// CPUs in BPF terms: as many slots as the machine has possible CPUs. A run that touches per-CPU state
// leases one, so that no two running programs hold a slot at a time and per-CPU counters are exact
// without atomics (docs/adr/0005-cpu-slots.md).
//
// A slot that one thread leases again and again becomes that thread's: it stays taken in the thread's name, and the
// thread leases it by writing a word of its own. Whoever needs such a slot takes the name off, makes every thread of the
// process notice with membarrier(2), and then looks whether the owner is inside. Where there is no membarrier, slots
// stay nobody's.
//
// Locking: none. A lessee synchronises with the former one (release on give-back, acquire on lease), so plain per-CPU
// data needs nothing else.
// Liveness: acquire() blocks when every slot is taken. A program never blocks while it holds a slot; a
// host function it calls must not wait for another thread's program.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "exec/run_context.h"

namespace ring3::exec {

namespace detail {

/// One live thread as slots know it. Never freed: a thread that ends leaves it to the next one.
struct alignas(64) SlotThread {
  std::atomic<const void*> inside{nullptr};  // the own slot while it is leased; written by the thread alone
  // The thread's own business:
  void* own = nullptr;                       // the slot that has its name, of the slots with `slots_id`
  std::uint64_t slots_id = 0;
  const void* last = nullptr;
  LeasedState own_state;                     // what a run with that slot begins with; `cpu` is its number
  std::uint32_t streak = 0;                  // leases of `last` in a row
  std::uint32_t streak_needed = 0;           // to get the slot; grows when it is taken away
  SlotThread* next_free = nullptr;
};

extern constinit thread_local SlotThread* t_slot_thread __attribute__((tls_model("initial-exec")));

}  // namespace detail

class CpuSlots {
 public:
  /// count: possible CPUs, at least 1 (0 counts as 1).
  explicit CpuSlots(std::uint32_t count);
  CpuSlots(const CpuSlots&) = delete;
  CpuSlots& operator=(const CpuSlots&) = delete;

  std::uint32_t count() const { return count_; }

  /// Leases a slot: the thread's own; else the one of the CPU the thread is on when it is free; else any; waits when
  /// all are taken. Nested runs share the outer lease (ProgramEntry sees to it).
  std::uint32_t acquire() noexcept {
    detail::SlotThread* const me = detail::t_slot_thread;
    if (me == nullptr || me->slots_id != id_ || me->inside.load(std::memory_order_relaxed) != nullptr)
      return acquire_slowly();
    auto* const slot = static_cast<Slot*>(me->own);
    me->inside.store(slot, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (__builtin_expect(slot->holder.load(std::memory_order_acquire) == name_of(me), 1)) return static_cast<std::uint32_t>(me->own_state.cpu);
    return lost_own();
  }

  /// The short half of acquire(): leases the slot that is the thread's own and returns the thread, or null. After null the
  /// caller has to acquire(), which also tells whoever waits that this attempt was none.
  detail::SlotThread* acquire_own() noexcept {
    detail::SlotThread* const me = detail::t_slot_thread;
    if (__builtin_expect(me == nullptr || me->slots_id != id_ || me->inside.load(std::memory_order_relaxed) != nullptr, 0))
      return nullptr;
    auto* const slot = static_cast<Slot*>(me->own);
    me->inside.store(slot, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (__builtin_expect(slot->holder.load(std::memory_order_acquire) == name_of(me), 1)) return me;
    me->inside.store(nullptr, std::memory_order_release);
    return nullptr;
  }
  /// What acquire_own() has leased.
  void release_own(detail::SlotThread& me) noexcept {
    me.inside.store(nullptr, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (__builtin_expect(waiters_.load(std::memory_order_relaxed) != 0, 0)) wake();
  }

  /// By the thread that leased it.
  void release(std::uint32_t slot) noexcept {
    detail::SlotThread* const me = detail::t_slot_thread;
    if (me == nullptr || slot >= count_ || me->inside.load(std::memory_order_relaxed) != &slots_[slot])
      return release_slowly(slot);
    me->inside.store(nullptr, std::memory_order_release);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (__builtin_expect(waiters_.load(std::memory_order_relaxed) != 0, 0)) wake();
  }

  /// The slot acquire() would try first. Valid, but not protected by anything.
  std::uint32_t preferred() const noexcept;

  /// For machine code that does what acquire_own() and release_own() do. A slot's holder is its first word.
  std::uint64_t id() const noexcept { return id_; }
  const std::atomic<std::uint32_t>& waiters() const noexcept { return waiters_; }
  /// Somebody waits for what was just given back.
  void wake() noexcept;

 private:
  struct alignas(64) Slot {
    /// 0: free. kTaken: leased, or being looked at by who wants it. Else the SlotThread it belongs to, which has
    /// leased it while its `inside` says so.
    std::atomic<std::uintptr_t> holder{0};
  };
  static constexpr std::uintptr_t kTaken = 1;

  static std::uintptr_t name_of(const detail::SlotThread* thread) { return reinterpret_cast<std::uintptr_t>(thread); }
  std::uint32_t acquire_slowly() noexcept;
  std::uint32_t lost_own() noexcept;
  void release_slowly(std::uint32_t slot) noexcept;
  bool try_take(std::uint32_t slot) noexcept;
  bool try_any(std::uint32_t first, std::uint32_t& slot) noexcept;
  bool try_take_away(std::uint32_t slot) noexcept;
  bool earns(detail::SlotThread& me, const Slot& slot) noexcept;

  const std::uint32_t count_;
  const std::unique_ptr<Slot[]> slots_;
  const std::uint64_t id_;  // of these slots among all there ever were
  alignas(64) std::atomic<std::uint32_t> waiters_{0};
  std::atomic<std::uint32_t> released_{0};  // bumped for waiters only
};

}  // namespace ring3::exec
