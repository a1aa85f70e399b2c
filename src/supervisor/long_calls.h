// Calls that take as long as their caller likes (runs of programs, repeated four thousand million times), and whether the caller still waits.
//
// Linux looks for signals between two runs. A caller that waits for its notification is woken by nothing but its death (WAIT_KILLABLE_RECV), so
// it is looked at from here, ten times a second: one that is gone, or has a signal to see to, has its entry marked. A runtime in this process
// asks for the mark (NotifiedCaller::gave_up()); a host notices that the connection is cut (Door::interrupt).
#pragma once

#include <vector>

#include "base/mutex.h"
#include "supervisor/door.h"
#include "supervisor/notification.h"
#include "supervisor/task_table.h"

namespace ring3::supervisor {

class LongCalls {
 public:
  LongCalls() = default;
  LongCalls(const LongCalls&) = delete;
  LongCalls& operator=(const LongCalls&) = delete;

  /// A call is being answered as long as this exists. Takes the mark off its entry.
  class Stay {
   public:
    Stay(LongCalls& among, const Notification& call, TaskEntry& caller);
    ~Stay();
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;

   private:
    friend class LongCalls;
    LongCalls& among_;
    const Notification& call_;
    TaskEntry& caller_;
  };

  /// Interrupts those whose callers do not wait any more. From one thread, about ten times a second.
  void look(const Listener& listener, Door& door);
  /// Nobody waits any more.
  void end();

 private:
  Mutex mutex_;
  std::vector<const Stay*> stays_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::supervisor
