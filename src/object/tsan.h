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
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
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

/// While it lives, writes of this thread race with nothing. For the one store that hands memory to a reader whose
/// answer comes back through another mapping: no tsan_release() can stand behind it, because by then the memory
/// may be somebody else's. What the store releases still counts.
class TsanHandOver {
 public:
  TsanHandOver() noexcept {
#if defined(RING3_TSAN)
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
  }
  ~TsanHandOver() {
#if defined(RING3_TSAN)
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
#endif
  }
  TsanHandOver(const TsanHandOver&) = delete;
  TsanHandOver& operator=(const TsanHandOver&) = delete;
};

}  // namespace ring3
