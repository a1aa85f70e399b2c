#include "supervisor/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "ring3/errno.h"
#include "syscall/command_table.h"
#include "uapi/bpf.h"

namespace ring3::supervisor {
namespace {

constexpr std::size_t kMaxReasonBytes = 200;

/// The first line of words that says something.
std::string first_line(std::string_view words) {
  std::string line(words.substr(0, words.find('\n')));
  if (line.size() > kMaxReasonBytes) line.resize(kMaxReasonBytes);
  return line;
}

std::string command_name(int command) {
  const syscall::Command* row = syscall::find_command(command & ~uapi::BPF_COMMON_ATTRS);
  return row == nullptr ? fmt::format("command {}", command) : std::string(row->name);
}

}  // namespace

void Report::count_bpf(int command, long result, std::string_view words) {
  MutexLock lock(mutex_);
  ++calls_;
  if (result >= 0) return;
  Row& row = rows_[{command_name(command), errno_name(static_cast<Errno>(-result))}];
  ++row.count;
  if (row.reason.empty()) row.reason = first_line(words);
}

void Report::count_refused(std::string_view call, std::string_view why) {
  MutexLock lock(mutex_);
  Row& row = rows_[{std::string(call), "refused"}];
  ++row.count;
  if (row.reason.empty()) row.reason = first_line(why);
}

std::string Report::text() const {
  MutexLock lock(mutex_);
  std::vector<std::pair<std::pair<std::string, std::string>, Row>> sorted(rows_.begin(), rows_.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  std::uint64_t failed = 0;
  std::string lines;
  for (const auto& [what, row] : sorted) {
    failed += row.count;
    lines += fmt::format("{:>8}  {:<28}{:<10}{}\n", row.count, what.first, what.second, row.reason);
  }
  return fmt::format("{} bpf(2) calls, {} without success\n", calls_, failed) + lines;
}

}  // namespace ring3::supervisor
