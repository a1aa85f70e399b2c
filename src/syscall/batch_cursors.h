// Where batch walks over hash maps stand. Clients keep a 4-byte token between two calls whatever the key
// size (Linux puts a bucket number there), so the key at which the walk goes on is kept here.
//
// Bounded: the oldest cursor is forgotten when there are too many, and its walk answers kInval. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/mutex.h"
#include "ring3/result.h"

namespace ring3::syscall {

class BatchCursors {
 public:
  static constexpr std::uint32_t kEnd = UINT32_MAX;  // token of a walk that has ended
  static constexpr std::size_t kMost = 1024;

  /// A token for "go on after `key`" in the map with this id.
  std::uint32_t keep(std::uint32_t map_id, std::vector<std::byte> key);
  /// The key; the token stays valid, since a client may repeat a batch. Errors: kInval unknown.
  Result<std::vector<std::byte>> find(std::uint32_t map_id, std::uint32_t token) const;

 private:
  struct Cursor {
    std::uint32_t map_id;
    std::vector<std::byte> key;
  };
  mutable Mutex mutex_;
  std::map<std::uint32_t, Cursor> cursors_ RING3_GUARDED_BY(mutex_);
  std::deque<std::uint32_t> by_age_ RING3_GUARDED_BY(mutex_);
  std::uint32_t last_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::syscall
