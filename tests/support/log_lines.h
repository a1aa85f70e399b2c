// A runtime's log, kept for tests to look at. Threads may write at once.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "ring3/log.h"

namespace ring3::test {

class LogLines final : public Log {
 public:
  void line(Severity, std::string_view, std::string_view text) override {
    MutexLock lock(mutex_);
    text_.append(text).append("\n");
  }
  /// All lines so far, each with its end.
  std::string text() const {
    MutexLock lock(mutex_);
    return text_;
  }
  /// The same, which are then gone.
  std::string take() {
    MutexLock lock(mutex_);
    return std::exchange(text_, {});
  }

 private:
  mutable Mutex mutex_;
  std::string text_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::test
