// What locks that sleep in futex(2) after a short spin have in common.
#pragma once

#include <cstdint>

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

/// About a quarter of a microsecond, whatever a pause is on this processor (7 to 60 ns).
inline void pause_a_while() noexcept {
#if defined(__x86_64__)
  constexpr std::uint64_t kCycles = 600;
  for (const std::uint64_t start = __builtin_ia32_rdtsc(); __builtin_ia32_rdtsc() - start < kCycles;) pause_cpu();
#else
  for (int i = 0; i < 16; ++i) pause_cpu();
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
