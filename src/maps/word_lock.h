// A lock in one 32-bit word, so that it fits in a map value (struct bpf_spin_lock) and that thousands
// of element shards cost no cache. Byte 0: held; byte 1: somebody may sleep.
//
// Uncontended: one compare-and-swap to take it, a plain store and a plain load to give it back. Contended: a short spin
// with looks far apart, then futex(2), because a holder that lost its CPU must not make every other thread burn one (user code cannot switch
// preemption off).
//
// The holder does not order its store before its load of byte 1: whoever is about to sleep does that for it, by
// membarrier(2) between the store of byte 1 and the last look at byte 0. So either the holder's store is seen there, or the
// holder sees byte 1. Where membarrier(2) is missing, sleeps are short instead.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/check.h"
#include "base/thread_annotations.h"

namespace ring3::maps {

namespace detail {
void word_lock_contended(std::uint32_t* word) noexcept;
void wake_sleeper(std::uint32_t* word) noexcept;
inline std::atomic_ref<std::uint8_t> lock_byte(std::uint32_t* word, unsigned number) noexcept {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  return std::atomic_ref<std::uint8_t>(reinterpret_cast<std::uint8_t*>(word)[number]);
#else
  return std::atomic_ref<std::uint8_t>(reinterpret_cast<std::uint8_t*>(word)[3 - number]);
#endif
}
}  // namespace detail

/// The word must be 4-byte aligned and start as 0. Not recursive.
inline void word_lock(std::uint32_t* word) noexcept {
  std::uint32_t seen = 0;
  if (std::atomic_ref<std::uint32_t>(*word).compare_exchange_strong(seen, 1, std::memory_order_acquire, std::memory_order_relaxed)) [[likely]]
    return;
  detail::word_lock_contended(word);
}
inline void word_unlock(std::uint32_t* word) noexcept {
  const std::atomic_ref<std::uint8_t> held = detail::lock_byte(word, 0);
  RING3_CHECK(held.load(std::memory_order_relaxed) != 0, "unlocking a free lock");
  held.store(0, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);  // the sleeper's membarrier(2) does the rest
  if (detail::lock_byte(word, 1).load(std::memory_order_relaxed) != 0) [[unlikely]]
    detail::wake_sleeper(word);
}

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
