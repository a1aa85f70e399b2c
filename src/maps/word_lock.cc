#include "maps/word_lock.h"

#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

#include "maps/spin.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kHeld = 1, kAsleep = 0x100;
constexpr int kLooks = 32;
bool try_take(std::atomic_ref<std::uint32_t> w) noexcept {
  std::uint32_t seen = w.load(std::memory_order_relaxed);
  return (seen & kHeld) == 0 &&
         w.compare_exchange_strong(seen, seen | kHeld, std::memory_order_acquire, std::memory_order_relaxed);
}

}  // namespace

bool barrier_everywhere() noexcept {
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0) return true;
  // Not registered yet, or forgotten over an execve().
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 &&
         syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}

namespace detail {

void word_lock_contended(std::uint32_t* word) noexcept {
  const std::atomic_ref<std::uint32_t> w(*word);
  // Looks are far apart: as long as nobody looks, the holder keeps the lines it works on, and two threads that want a lock again and
  // again take turns of several operations each, instead of waiting for every line in each operation.
  for (int i = 0; i < kLooks; ++i) {
    pause_a_while();
    if (try_take(w)) return;
  }
  for (;;) {
    lock_byte(word, 1).store(1, std::memory_order_relaxed);
    const bool ordered = barrier_everywhere();
    if (try_take(w)) return;  // byte 1 stays: others may sleep, and an unlock too many is only slow
    const timespec short_sleep{0, kShortSleepNs};
    // A word that is anything else by now has changed hands: look again.
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, kHeld | kAsleep, ordered ? nullptr : &short_sleep, nullptr, 0);
  }
}

void wake_sleeper(std::uint32_t* word) noexcept {
  // Whoever wakes says again that somebody may sleep before it looks, so the others are not forgotten.
  if (lock_byte(word, 1).exchange(0, std::memory_order_relaxed) != 0)
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace detail

}  // namespace ring3::maps
