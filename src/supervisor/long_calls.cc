#include "supervisor/long_calls.h"

#include <algorithm>

namespace ring3::supervisor {

LongCalls::Stay::Stay(LongCalls& among, const Notification& call, TaskEntry& caller) : among_(among), call_(call), caller_(caller) {
  caller_.gave_up.store(false);
  MutexLock lock(among_.mutex_);
  among_.stays_.push_back(this);
}

LongCalls::Stay::~Stay() {
  MutexLock lock(among_.mutex_);
  among_.stays_.erase(std::find(among_.stays_.begin(), among_.stays_.end(), this));
}

void LongCalls::look(const Listener& listener, Door& door) {
  MutexLock lock(mutex_);
  for (const Stay* stay : stays_) {
    if (listener.waits(stay->call_) && !stay->caller_.task.has_signal()) continue;
    stay->caller_.gave_up.store(true);
    door.interrupt(stay->caller_);
  }
}

void LongCalls::end() {
  MutexLock lock(mutex_);
  for (const Stay* stay : stays_) stay->caller_.gave_up.store(true);
}

}  // namespace ring3::supervisor
