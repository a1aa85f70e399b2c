// The newest lines of a runtime's log, kept for readers in other processes; every line also goes on to the
// host's own log. Positions count all lines ever written, so a reader notices what it missed.
//
// Lock: mutex_ is a leaf. Writers may stand inside a program's run: they copy one line and signal eventfds
// that never block.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "ring3/log.h"
#include "ring3/result.h"

namespace ring3 {

struct LogLine {
  std::uint64_t position = 0;
  std::uint64_t time_ns = 0;  // since the epoch
  Severity severity = Severity::kInfo;
  std::string module;
  std::string text;
};

class LogRing final : public Log {
 public:
  static constexpr std::size_t kKeptLines = 4096;
  static constexpr std::size_t kMaxLineBytes = 1024;  // longer lines are cut in the ring only

  /// next: may be null; outlives the ring.
  explicit LogRing(Log* next) : next_(next) {}

  void line(Severity severity, std::string_view module, std::string_view text) override;

  /// Lines from `position` on, oldest first, at most `most`.
  std::vector<LogLine> since(std::uint64_t position, std::size_t most) const;
  /// The position the next line will have.
  std::uint64_t end() const;

  /// event: an eventfd that is written whenever a line comes, until it is unwatched.
  void watch(int event);
  void unwatch(int event);

 private:
  Log* const next_;
  mutable Mutex mutex_;
  std::deque<LogLine> lines_ RING3_GUARDED_BY(mutex_);
  std::uint64_t end_ RING3_GUARDED_BY(mutex_) = 0;
  std::vector<int> watchers_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3
