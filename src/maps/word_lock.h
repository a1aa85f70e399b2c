// A lock in one 32-bit word, so that it fits in a map value (struct bpf_spin_lock) and that thousands
// of element shards cost no cache. 0 free, 1 held, 2 held and somebody sleeps.
//
// Uncontended: one compare-and-swap each way. Contended: a short spin, then futex(2), because a holder
// that lost its CPU must not make every other thread burn one (user code cannot switch preemption off).
#pragma once

#include <atomic>
#include <cstdint>

#include "base/thread_annotations.h"

namespace ring3::maps {

/// The word must be 4-byte aligned and start as 0. Not recursive.
void word_lock(std::uint32_t* word) noexcept;
void word_unlock(std::uint32_t* word) noexcept;

/// The same as a capability the compiler can follow; one per shard.
class RING3_CAPABILITY("mutex") WordLock {
 public:
  void lock() noexcept RING3_ACQUIRE() { word_lock(&word_); }
  void unlock() noexcept RING3_RELEASE() { word_unlock(&word_); }

 private:
  std::uint32_t word_ = 0;
};

class RING3_SCOPED_CAPABILITY WordLockGuard {
 public:
  explicit WordLockGuard(WordLock& lock) noexcept RING3_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~WordLockGuard() RING3_RELEASE() { lock_.unlock(); }
  WordLockGuard(const WordLockGuard&) = delete;
  WordLockGuard& operator=(const WordLockGuard&) = delete;

 private:
  WordLock& lock_;
};

}  // namespace ring3::maps
