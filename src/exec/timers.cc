#include "exec/timers.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>
#include <utility>

#include "base/fault_point.h"
#include "exec/host_services.h"
#include "exec/program_entry.h"
#include "maps/map.h"
#include "object/rcu.h"

namespace ring3::exec {
namespace {

using maps::AsyncItem;

/// The word of the field, which holds the item.
std::uintptr_t* word(void* field) { return static_cast<std::uintptr_t*>(field); }

DeferredItem* item_in(void* field) noexcept {
  auto* item = reinterpret_cast<AsyncItem*>(__atomic_load_n(word(field), __ATOMIC_ACQUIRE));
  return static_cast<DeferredItem*>(item);
}

/// Longest sleep without a look at the clock: a clock that jumps is noticed.
constexpr std::uint64_t kMaxSleepNs = 100'000'000;

}  // namespace

const ProgramEntry* Timers::take_callback(DeferredItem& item) noexcept { return std::exchange(item.entry_, nullptr); }

void Timers::drop(const ProgramEntry* entry) noexcept {
  if (entry != nullptr) entry->holder()->unref();
}

void Timers::free_after_readers(DeferredItem& item) noexcept {
  rcu::call_after_readers(&item.freed_, [](rcu::Deferred* node) {
    delete static_cast<DeferredItem::Hook<rcu::Deferred>*>(node)->item;
  });
}

void Timers::put_in_tree(DeferredItem& item) {
  item.place_ns_ = item.deadline_ns_;
  maps::tree_add(&armed_, &item.node_, maps::Sharing::kSole, [](maps::RbNode* a, maps::RbNode* b) {
    return DeferredItem::of(a)->place_ns_ < DeferredItem::of(b)->place_ns_;
  });
}

DeferredItem* Timers::first() {
  for (;;) {
    DeferredItem* const item = DeferredItem::of(maps::tree_first(&armed_));
    if (item == nullptr || item->place_ns_ == item->deadline_ns_) return item;
    maps::tree_remove(&armed_, &item->node_);
    put_in_tree(*item);
  }
}

void Timers::disarm(DeferredItem& item) {
  if (!item.armed_) return;
  maps::tree_remove(&armed_, &item.node_);
  item.armed_ = false;
  --armed_count_;
}

Result<void> Timers::start() {
  if (auto worker = worker_.start(); !worker) return worker;
  MutexLock lock(mutex_);
  if (started_ || stopping_ || host_.clock_is_manual()) return {};
  try {
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error&) {
    return Errno::kAgain;
  }
  started_ = true;
  return {};
}

void Timers::stop() noexcept {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

long Timers::make(DeferredItem::Kind kind, void* field, maps::Map& map) noexcept {
  const auto of_kind = kind == DeferredItem::Kind::kTimer ? model::FieldKind::kTimer : model::FieldKind::kWork;
  const model::Field* place = map.spec().fields.find(of_kind);
  if (place == nullptr) return to_syscall(Errno::kInval);
  if (__atomic_load_n(word(field), __ATOMIC_RELAXED) != 0) return to_syscall(Errno::kBusy);
  auto* item = fault_point() ? nullptr
                             : new (std::nothrow) DeferredItem(kind, *this, map, static_cast<std::byte*>(field) - place->off);
  if (item == nullptr) return to_syscall(Errno::kNoMem);
  item->work_.run = [](Worker::Item* work) noexcept {
    DeferredItem* self = static_cast<DeferredItem::Hook<Worker::Item>*>(work)->item;
    self->timers_.run_work(*self);
  };
  std::uintptr_t nothing = 0;
  if (!__atomic_compare_exchange_n(word(field), &nothing, reinterpret_cast<std::uintptr_t>(static_cast<AsyncItem*>(item)),
                                   false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
    delete item;
    return to_syscall(Errno::kBusy);
  }
  // Whoever drops the last user reference looks for items afterwards; whoever makes one looks at the count afterwards.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (map.user_refs() != 0) return 0;
  const std::uintptr_t taken = __atomic_exchange_n(word(field), 0, __ATOMIC_ACQ_REL);
  if (taken != 0) reinterpret_cast<AsyncItem*>(taken)->cancel_and_free();
  return to_syscall(Errno::kPerm);
}

long Timers::set_callback(void* field, const ProgramEntry* entry, std::uint32_t subprog) noexcept {
  DeferredItem* item = item_in(field);
  if (item == nullptr) return to_syscall(Errno::kInval);
  if (item->map_.user_refs() == 0) return to_syscall(Errno::kPerm);
  Object* const holder = entry->holder();
  if (holder == nullptr || !holder->try_ref()) return to_syscall(Errno::kNoEnt);
  const ProgramEntry* old = entry;
  {
    MutexLock lock(mutex_);
    if (!item->dead_) {
      old = std::exchange(item->entry_, entry);
      item->subprog_ = subprog;
    }
  }
  drop(old);
  return 0;
}

long Timers::arm(void* field, std::uint64_t at_ns) noexcept {
  DeferredItem* item = item_in(field);
  if (item == nullptr) return to_syscall(Errno::kInval);
  MutexLock lock(mutex_);
  if (item->entry_ == nullptr || item->dead_) return to_syscall(Errno::kInval);
  item->deadline_ns_ = at_ns;
  if (item->armed_) {
    if (at_ns >= item->place_ns_) return 0;
    maps::tree_remove(&armed_, &item->node_);
  } else {
    item->armed_ = true;
    ++armed_count_;
  }
  put_in_tree(*item);
  if (at_ns < sleeps_until_ns_) wake_.notify_one();
  return 0;
}

long Timers::cancel(void* field) noexcept {
  DeferredItem* item = item_in(field);
  if (item == nullptr) return to_syscall(Errno::kInval);
  const ProgramEntry* old = nullptr;
  long was_armed = 0;
  {
    MutexLock lock(mutex_);
    if (running_ == item && runner_ == std::this_thread::get_id()) return to_syscall(Errno::kDeadLk);
    was_armed = item->armed_ ? 1 : 0;
    disarm(*item);
    old = take_callback(*item);  // so that the callback cannot start it again
    while (running_ == item) finished_.wait(mutex_);
    disarm(*item);
  }
  drop(old);
  return was_armed;
}

long Timers::queue(void* field) noexcept {
  DeferredItem* item = item_in(field);
  if (item == nullptr) return to_syscall(Errno::kInval);
  MutexLock lock(mutex_);
  if (item->entry_ == nullptr || item->dead_) return to_syscall(Errno::kInval);
  if (item->armed_) return 0;
  item->armed_ = true;
  worker_.post(&item->work_);
  return 0;
}

void DeferredItem::cancel_and_free() noexcept {
  const ProgramEntry* old = nullptr;
  bool queued = false;
  {
    MutexLock lock(timers_.mutex_);
    dead_ = true;
    if (kind_ == Kind::kTimer) timers_.disarm(*this);
    queued = kind_ == Kind::kWork && armed_;
    old = Timers::take_callback(*this);
    const bool may_wait = !rcu::reading();
    while (may_wait && (timers_.running_ == this || timers_.working_ == this)) timers_.finished_.wait(timers_.mutex_);
  }
  Timers::drop(old);
  if (!queued) Timers::free_after_readers(*this);  // else by the worker, when it comes to it
}

std::uint64_t Timers::call(const ProgramEntry& entry, std::uint32_t subprog, maps::Map& map, std::byte* value) noexcept {
  std::uint32_t index = 0;
  const void* const key = map.ops().data.key_of(map, value, index);
  return entry.run_callback(subprog, reinterpret_cast<std::uintptr_t>(&map), reinterpret_cast<std::uintptr_t>(key),
                            reinterpret_cast<std::uintptr_t>(value));
}

bool Timers::run_first(std::uint64_t now_ns) noexcept {
  rcu::ReadSection readers;  // before the item is looked at: what it points to stays
  DeferredItem* item = nullptr;
  const ProgramEntry* entry = nullptr;
  std::uint32_t subprog = 0;
  {
    MutexLock lock(mutex_);
    while (running_ != nullptr && runner_ != std::this_thread::get_id()) finished_.wait(mutex_);  // one at a time
    item = first();
    if (item == nullptr || item->deadline_ns_ > now_ns) return false;
    disarm(*item);
    entry = item->entry_;
    subprog = item->subprog_;
    running_ = item;
    runner_ = std::this_thread::get_id();
  }
  if (entry != nullptr) call(*entry, subprog, item->map_, item->value_);
  MutexLock lock(mutex_);
  running_ = nullptr;
  finished_.notify_all();
  return true;
}

void Timers::run_work(DeferredItem& item) noexcept {
  rcu::ReadSection readers;
  const ProgramEntry* entry = nullptr;
  std::uint32_t subprog = 0;
  {
    MutexLock lock(mutex_);
    item.armed_ = false;
    if (item.dead_) {
      free_after_readers(item);
      return;
    }
    entry = item.entry_;
    subprog = item.subprog_;
    working_ = &item;
  }
  if (entry != nullptr) call(*entry, subprog, item.map_, item.value_);
  MutexLock lock(mutex_);
  working_ = nullptr;
  finished_.notify_all();
}

std::size_t Timers::run_due() noexcept {
  const std::uint64_t now_ns = host_.ktime_ns();
  std::size_t ran = 0;
  // As many as there are now: a callback that starts itself again at once does not keep us here.
  for (std::size_t most = armed(); most != 0 && run_first(now_ns); --most) ++ran;
  return ran;
}

std::size_t Timers::armed() const noexcept {
  MutexLock lock(mutex_);
  return armed_count_;
}

void Timers::loop() noexcept {
  for (;;) {
    const std::uint64_t now_ns = host_.ktime_ns();
    while (run_first(now_ns)) {
      MutexLock lock(mutex_);
      if (stopping_) return;
    }
    MutexLock lock(mutex_);
    if (stopping_) return;
    const DeferredItem* const next = first();
    if (next == nullptr) {
      sleeps_until_ns_ = UINT64_MAX;
      wake_.wait(mutex_);
    } else if (const std::uint64_t now = host_.ktime_ns(); next->deadline_ns_ > now) {
      const std::uint64_t for_ns = std::min(next->deadline_ns_ - now, kMaxSleepNs);
      sleeps_until_ns_ = now + for_ns;
      wake_.wait_for(mutex_, std::chrono::nanoseconds(for_ns));
    }
    sleeps_until_ns_ = 0;
  }
}

}  // namespace ring3::exec
