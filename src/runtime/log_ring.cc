#include "runtime/log_ring.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <new>

namespace ring3 {

void LogRing::line(Severity severity, std::string_view module, std::string_view text) {
  if (next_ != nullptr) next_->line(severity, module, text);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto time_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
  MutexLock lock(mutex_);
  try {
    lines_.push_back({end_, time_ns, severity, std::string(module), std::string(text.substr(0, kMaxLineBytes))});
  } catch (const std::bad_alloc&) {
    return;  // a log that cannot be kept is no reason to fail
  }
  ++end_;
  if (lines_.size() > kKeptLines) lines_.pop_front();
  const std::uint64_t one = 1;
  for (const int event : watchers_) {
    [[maybe_unused]] const ssize_t n = ::write(event, &one, sizeof one);
  }
}

std::vector<LogLine> LogRing::since(std::uint64_t position, std::size_t most) const {
  MutexLock lock(mutex_);
  const std::uint64_t first = end_ - lines_.size();
  const auto skip = static_cast<std::size_t>(std::min<std::uint64_t>(position > first ? position - first : 0, lines_.size()));
  const std::size_t count = std::min(most, lines_.size() - skip);
  const auto from = lines_.begin() + static_cast<std::ptrdiff_t>(skip);
  return {from, from + static_cast<std::ptrdiff_t>(count)};
}

std::uint64_t LogRing::end() const {
  MutexLock lock(mutex_);
  return end_;
}

void LogRing::watch(int event) {
  MutexLock lock(mutex_);
  watchers_.push_back(event);
}

void LogRing::unwatch(int event) {
  MutexLock lock(mutex_);
  std::erase(watchers_, event);
}

}  // namespace ring3
