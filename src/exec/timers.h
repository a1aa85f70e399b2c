// Timers and work items: what struct bpf_timer and struct bpf_wq in a map value point to, and who runs them.
//
// A timer's callback runs on the machine's timer thread, or, when the host's clock is moved by hand, on the thread
// that calls run_due(). A work item's runs on the machine's worker. Both run inside a read section that was opened before
// the item was looked at, so the map value, the item and the program stay while the callback does, whoever takes
// them away meanwhile. A timer never waits for a program; a program that cancels a timer waits for its callback, and so
// does who takes an item away outside read sections: memory that is freed at once must not be in use.
//
// An item holds a reference to the program whose callback it has. The ring program → map → item → program ends with the
// map's last user reference, which cancels all of its items; afterwards none can be made.
//
// Starting a timer is what programs do most, and mostly to put it off: a timer that is started again for later stays
// where it is in the tree, and is put right when it comes up. The thread is woken only for what is due before it wakes anyway.
//
// Locking: mutex_ is a leaf; no callback runs and no reference is dropped under it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <thread>

#include "base/mutex.h"
#include "maps/field_owners.h"
#include "maps/object_links.h"
#include "object/object.h"
#include "object/worker.h"
#include "ring3/result.h"

namespace ring3::maps {
class Map;
}

namespace ring3::exec {

class HostServices;
class ProgramEntry;
class Timers;

/// One timer or work item. Its memory goes after readers once its field has let go of it.
class DeferredItem final : public maps::AsyncItem {
 public:
  enum class Kind : std::uint8_t { kTimer, kWork };

  void cancel_and_free() noexcept override;

 private:
  friend class Timers;
  DeferredItem(Kind kind, Timers& timers, maps::Map& map, std::byte* value) noexcept
      : kind_(kind), timers_(timers), map_(map), value_(value) {
    node_.item = work_.item = freed_.item = this;
  }

  /// What others hold of an item leads back to it.
  template <typename Link>
  struct Hook : Link {
    DeferredItem* item = nullptr;
  };
  static DeferredItem* of(maps::RbNode* node) noexcept {
    return node == nullptr ? nullptr : static_cast<Hook<maps::RbNode>*>(node)->item;
  }

  Hook<maps::RbNode> node_{};      // in the tree of armed timers
  Hook<Worker::Item> work_{};      // in the worker's queue
  Hook<rcu::Deferred> freed_{};
  const Kind kind_;
  Timers& timers_;
  maps::Map& map_;
  std::byte* const value_;
  // Under Timers::mutex_.
  const ProgramEntry* entry_ = nullptr;  // with a reference to its owner; null: no callback
  std::uint32_t subprog_ = 0;
  std::uint64_t deadline_ns_ = 0;
  std::uint64_t place_ns_ = 0;  // its key in the tree; not later than the deadline
  bool armed_ = false;          // timer: in the tree; work item: in the queue
  bool dead_ = false;           // its field is gone
};

/// All timers and work items of one machine.
class Timers {
 public:
  Timers(HostServices& host, Worker& worker) : host_(host), worker_(worker) {}
  ~Timers() {
    stop();
    worker_.drain();  // items whose fields are gone
  }
  Timers(const Timers&) = delete;
  Timers& operator=(const Timers&) = delete;

  /// Before the first item. Idempotent. Errors: kAgain no thread.
  Result<void> start();
  /// Nothing runs afterwards. Idempotent.
  void stop() noexcept;

  // What programs ask for, inside read sections; 0 or a negative errno. field: the bpf_timer or bpf_wq in the value.

  /// -EBUSY it has been made already; -EPERM the map has no user any more; -ENOMEM.
  long make(DeferredItem::Kind kind, void* field, maps::Map& map) noexcept;
  /// -EINVAL not made; -EPERM the map has no user any more.
  long set_callback(void* field, const ProgramEntry* entry, std::uint32_t subprog) noexcept;
  /// at_ns: on the host's monotonic clock. -EINVAL not made, or without callback.
  long arm(void* field, std::uint64_t at_ns) noexcept;
  /// 1 it was armed, 0 it was not; -EDEADLK from the timer's own callback; -EINVAL not made. Waits for the callback.
  long cancel(void* field) noexcept;
  /// Work items. -EINVAL as above. Queued already: 0, and it runs once.
  long queue(void* field) noexcept;

  /// Runs what is due now, on this thread: for hosts whose clock is moved by hand. Returns how many ran.
  std::size_t run_due() noexcept;
  std::size_t armed() const noexcept;

 private:
  friend class DeferredItem;
  void loop() noexcept;
  /// Runs the first timer if it is due. False: none is.
  bool run_first(std::uint64_t now_ns) noexcept;
  void run_work(DeferredItem& item) noexcept;
  void put_in_tree(DeferredItem& item) RING3_REQUIRES(mutex_);
  void disarm(DeferredItem& item) RING3_REQUIRES(mutex_);
  /// The first timer in order of deadlines, in its right place; null: none.
  DeferredItem* first() RING3_REQUIRES(mutex_);
  /// The program goes; the reference is to be dropped by the caller, without the lock.
  static const ProgramEntry* take_callback(DeferredItem& item) noexcept;
  static void drop(const ProgramEntry* entry) noexcept;
  static void free_after_readers(DeferredItem& item) noexcept;
  static std::uint64_t call(const ProgramEntry& entry, std::uint32_t subprog, maps::Map& map, std::byte* value) noexcept;

  HostServices& host_;
  Worker& worker_;
  mutable Mutex mutex_;
  std::condition_variable_any wake_, finished_;
  maps::RbRoot armed_ RING3_GUARDED_BY(mutex_){};
  std::size_t armed_count_ RING3_GUARDED_BY(mutex_) = 0;
  DeferredItem* running_ RING3_GUARDED_BY(mutex_) = nullptr;  // the timer whose callback runs …
  std::thread::id runner_ RING3_GUARDED_BY(mutex_);           // … on this thread
  DeferredItem* working_ RING3_GUARDED_BY(mutex_) = nullptr;  // the work item whose callback runs
  std::uint64_t sleeps_until_ns_ RING3_GUARDED_BY(mutex_) = 0;  // the thread; 0: it is awake, and will look at the tree
  bool started_ RING3_GUARDED_BY(mutex_) = false;
  bool stopping_ RING3_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ring3::exec
