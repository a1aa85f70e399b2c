// A lock in bit 0 of a word that holds an address: each chain of a hash table has its own, in the cache line that whoever changes
// the chain needs anyway, and it takes no room.
//
// Uncontended: one compare-and-swap to take it, a store and a load to give it back. Contended: a short spin, then futex(2) on a word
// that all locks of a table share (LockWaiters), as in word_lock.h: the holder does not order its store before its load of that
// word, whoever is about to sleep does that for it by membarrier(2). The word is only written when somebody sleeps or wakes, so the
// load costs nothing; who is woken for another chain's sake looks again and goes back to sleep.
#pragma once

#include <atomic>
#include <cstdint>

#include "maps/spin.h"

namespace ring3::maps {

class LockWaiters {
 public:
  /// After a lock was given back.
  void given_back() noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the sleeper's membarrier(2) does the rest
    if ((word_.load(std::memory_order_relaxed) & kAsleep) != 0) [[unlikely]]
      wake();
  }

 private:
  template <typename T>
  friend class LinkLock;
  // Bit 0: somebody may sleep. The others count wakings, so that whoever has not fallen asleep yet notices one.
  static constexpr std::uint32_t kAsleep = 1;
  void wake() noexcept;
  /// Returns when try_take(word) was true.
  void wait(bool (*try_take)(void* word), void* word) noexcept;

  alignas(64) std::atomic<std::uint32_t> word_{0};
};

/// The word, a pointer to T, whose own bit 0 is never set.
template <typename T>
class LinkLock {
 public:
  static T* address(T* word) noexcept { return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(word) & ~std::uintptr_t{1}); }
  static bool held(T* word) noexcept { return (reinterpret_cast<std::uintptr_t>(word) & 1) != 0; }
  static T* with_lock(T* address) noexcept { return reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(address) | 1); }

  /// The address that is there. Not recursive.
  static T* take(std::atomic<T*>& word, LockWaiters& waiters) noexcept {
    fetch_to_write(&word);
    T* seen = word.load(std::memory_order_relaxed);
    if (!held(seen) && word.compare_exchange_strong(seen, with_lock(seen), std::memory_order_acquire, std::memory_order_relaxed)) [[likely]]
      return seen;
    waiters.wait([](void* w) { return try_take(*static_cast<std::atomic<T*>*>(w)); }, &word);
    return address(word.load(std::memory_order_relaxed));
  }
  /// Leaves `address` there.
  static void give_back(std::atomic<T*>& word, T* address, LockWaiters& waiters) noexcept {
    word.store(address, std::memory_order_release);
    waiters.given_back();
  }

 private:
  static bool try_take(std::atomic<T*>& word) noexcept {
    T* seen = word.load(std::memory_order_relaxed);
    return !held(seen) && word.compare_exchange_strong(seen, with_lock(seen), std::memory_order_acquire, std::memory_order_relaxed);
  }
};

}  // namespace ring3::maps
