#include "maps/link_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <ctime>

#include "maps/spin.h"

namespace ring3::maps {

void LockWaiters::wait(bool (*try_take)(void* word), void* word) noexcept {
  for (int i = 0; i < kSpins; ++i) {
    if (try_take(word)) return;
    pause_cpu();
  }
  for (;;) {
    const std::uint32_t seen = word_.fetch_or(kAsleep, std::memory_order_relaxed) | kAsleep;
    const bool ordered = barrier_everywhere();
    if (try_take(word)) return;  // the bit stays: others may sleep, and a waking too many is only slow
    const timespec short_sleep{0, kShortSleepNs};
    syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, seen, ordered ? nullptr : &short_sleep, nullptr, 0);
  }
}

void LockWaiters::wake() noexcept {
  // All of them: nobody knows whose lock it was.
  std::uint32_t seen = word_.load(std::memory_order_relaxed);
  while ((seen & kAsleep) != 0)
    if (word_.compare_exchange_weak(seen, (seen & ~kAsleep) + 2, std::memory_order_relaxed)) {
      syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
      return;
    }
}

}  // namespace ring3::maps
