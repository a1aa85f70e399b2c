// While one lives, what the runtime tells its log about a thread's work is also told to somebody else: a client whose
// request is being answered learns the host's reason, not only its errno.
#pragma once

#include <utility>

#include "base/text_sink.h"

namespace ring3 {

class LogWitness {
 public:
  explicit LogWitness(TextSink& sink) noexcept : outer_(std::exchange(current_, &sink)) {}
  ~LogWitness() { current_ = outer_; }
  LogWitness(const LogWitness&) = delete;
  LogWitness& operator=(const LogWitness&) = delete;

  /// Of the calling thread; null: nobody.
  static TextSink* current() noexcept { return current_; }

 private:
  static inline thread_local TextSink* current_ = nullptr;
  TextSink* const outer_;
};

}  // namespace ring3
