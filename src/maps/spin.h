// What locks that sleep in futex(2) after a short spin have in common.
#pragma once

namespace ring3::maps {

inline constexpr int kSpins = 64;
/// How long a sleep may be where barrier_everywhere() does not work.
inline constexpr long kShortSleepNs = 200'000;

inline void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

/// Fetches the cache line for writing. Else a load that finds it changed by another processor gets it shared, and the store behind
/// the load asks for it once more.
inline void fetch_to_write(const void* at) noexcept {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(at)));  // __builtin_prefetch() gives a prefetch to read
#else
  __builtin_prefetch(at, 1);
#endif
}

/// A full barrier on every thread of the process that runs. False: the machine does not do that.
bool barrier_everywhere() noexcept;

}  // namespace ring3::maps
