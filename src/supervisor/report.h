// What a command asked for and did not get: `ring3 run --report`. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"

namespace ring3::supervisor {

class Report {
 public:
  /// A bpf(2) call and its answer; words: why, "" nothing to say.
  void count_bpf(int command, long result, std::string_view words);
  /// Another call that was refused here, by its name.
  void count_refused(std::string_view call, std::string_view why);

  /// Lines: a summary, then each command and errno that was not a success, most often first, with the first reason given.
  std::string text() const;

 private:
  struct Row {
    std::uint64_t count = 0;
    std::string reason;
  };
  mutable Mutex mutex_;
  std::uint64_t calls_ RING3_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<std::string, std::string>, Row> rows_ RING3_GUARDED_BY(mutex_);  // (what, errno)
};

}  // namespace ring3::supervisor
