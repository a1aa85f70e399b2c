// What an open folder lists: entries in order, by position.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "bpffs/request.h"
#include "ring3/result.h"

namespace ring3::bpffs {

class EntrySource {
 public:
  virtual ~EntrySource() = default;
  /// At most `limit` entries from position `at` on; none at the end. Cheap when positions go up without a gap.
  virtual Result<std::vector<Entry>> read(std::uint64_t at, std::size_t limit) = 0;
};

/// What was there when the folder was opened, so that names which are removed meanwhile hide no others.
class Snapshot final : public EntrySource {
 public:
  explicit Snapshot(std::vector<Entry> entries) : entries_(std::move(entries)) {}
  Result<std::vector<Entry>> read(std::uint64_t at, std::size_t limit) override {
    const std::size_t from = static_cast<std::size_t>(std::min<std::uint64_t>(at, entries_.size()));
    const std::size_t to = from + std::min(limit, entries_.size() - from);
    return std::vector<Entry>(entries_.begin() + static_cast<std::ptrdiff_t>(from),
                              entries_.begin() + static_cast<std::ptrdiff_t>(to));
  }

 private:
  const std::vector<Entry> entries_;
};

}  // namespace ring3::bpffs
