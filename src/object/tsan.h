// Tells ThreadSanitizer about an order that it cannot see: through code that is not instrumented, or
// through another process or mapping. Nothing in other builds.
#pragma once

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RING3_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define RING3_TSAN 1
#endif

#if defined(RING3_TSAN)
extern "C" {
void __tsan_acquire(void* addr);
void __tsan_release(void* addr);
}
#endif

namespace ring3 {

/// What was released at addr before happens before what follows.
inline void tsan_acquire([[maybe_unused]] void* addr) noexcept {
#if defined(RING3_TSAN)
  __tsan_acquire(addr);
#endif
}

inline void tsan_release([[maybe_unused]] void* addr) noexcept {
#if defined(RING3_TSAN)
  __tsan_release(addr);
#endif
}

}  // namespace ring3
