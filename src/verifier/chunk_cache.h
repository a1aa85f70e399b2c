// Memory that one verification leaves for the next, so that pages are not asked of the system anew each time: a walk of a few
// thousand instructions fills some MiB, and the pages would take as long as the walk. Thread-safe; its lock is a leaf.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace ring3::verifier {

class ChunkCache {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 16;
  using Chunk = std::unique_ptr<std::byte[]>;  // of kChunkBytes

  /// most_bytes: kept at any time.
  explicit ChunkCache(std::size_t most_bytes = std::size_t{8} << 20) : most_(most_bytes / kChunkBytes) {}

  /// What it holds means nothing.
  Chunk take() {
    {
      MutexLock lock(mutex_);
      if (!free_.empty()) {
        Chunk chunk = std::move(free_.back());
        free_.pop_back();
        return chunk;
      }
    }
    return Chunk(new std::byte[kChunkBytes]);
  }
  void give_back(Chunk chunk) {
    MutexLock lock(mutex_);
    if (free_.size() < most_) free_.push_back(std::move(chunk));
  }
  std::size_t chunks() {
    MutexLock lock(mutex_);
    return free_.size();
  }

 private:
  const std::size_t most_;
  Mutex mutex_;
  std::vector<Chunk> free_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::verifier
