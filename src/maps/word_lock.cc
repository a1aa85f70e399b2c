#include "maps/word_lock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kFree = 0, kHeld = 1, kContended = 2;
constexpr int kSpins = 64;

void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

}  // namespace

void word_lock(std::uint32_t* word) noexcept {
  std::atomic_ref<std::uint32_t> w(*word);
  std::uint32_t seen = kFree;
  if (w.compare_exchange_strong(seen, kHeld, std::memory_order_acquire, std::memory_order_relaxed)) return;
  for (int i = 0; i < kSpins; ++i) {
    seen = kFree;
    if (w.load(std::memory_order_relaxed) == kFree &&
        w.compare_exchange_strong(seen, kHeld, std::memory_order_acquire, std::memory_order_relaxed))
      return;
    pause_cpu();
  }
  // From here on the word says that somebody may sleep; the holder that takes it over keeps saying so.
  while (w.exchange(kContended, std::memory_order_acquire) != kFree)
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, kContended, nullptr, nullptr, 0);
}

void word_unlock(std::uint32_t* word) noexcept {
  std::atomic_ref<std::uint32_t> w(*word);
  const std::uint32_t was = w.exchange(kFree, std::memory_order_release);
  RING3_CHECK(was != kFree, "unlocking a free lock");
  if (was == kContended) syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace ring3::maps
