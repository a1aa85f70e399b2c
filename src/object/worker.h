// One thread that does what must not be done where it was asked for: things that may block, and programs' deferred
// work. Items run in the order of post(), under no lock and outside read sections.
//
// Threads: post() from anywhere, also inside read sections and from an item; never blocks for longer than a short
// critical section. start() before the first post(), where an error can still be told.
#pragma once

#include <condition_variable>
#include <thread>

#include "base/mutex.h"
#include "ring3/result.h"

namespace ring3 {

class Worker {
 public:
  /// Part of what is to be done; its owner's memory, which run() may end.
  struct Item {
    Item* next = nullptr;
    void (*run)(Item*) noexcept = nullptr;
  };

  Worker() = default;
  /// Runs what is left, and what that posts in turn.
  ~Worker() { stop(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Idempotent. Errors: kAgain no thread to be had.
  Result<void> start();
  /// After a start() that succeeded; after stop() the item runs at once.
  void post(Item* item) noexcept;
  /// Waits until everything posted so far has run. Not from an item.
  void drain();
  /// Runs what is left and ends the thread. Idempotent.
  void stop() noexcept;

 private:
  void loop() noexcept;
  Item* take_all() RING3_REQUIRES(mutex_);

  Mutex mutex_;
  std::condition_variable_any wake_, idle_;
  Item* first_ RING3_GUARDED_BY(mutex_) = nullptr;
  Item** last_ RING3_GUARDED_BY(mutex_) = &first_;
  bool running_ RING3_GUARDED_BY(mutex_) = false;  // the thread exists
  bool busy_ RING3_GUARDED_BY(mutex_) = false;
  bool stopping_ RING3_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ring3
