// Clang's thread-safety attributes; empty elsewhere. -Wthread-safety is an error on clang.
#pragma once

#if defined(__clang__)
#define RING3_TSA(x) __attribute__((x))
#else
#define RING3_TSA(x)
#endif

#define RING3_CAPABILITY(name) RING3_TSA(capability(name))
#define RING3_SCOPED_CAPABILITY RING3_TSA(scoped_lockable)
#define RING3_GUARDED_BY(m) RING3_TSA(guarded_by(m))
#define RING3_PT_GUARDED_BY(m) RING3_TSA(pt_guarded_by(m))
#define RING3_REQUIRES(...) RING3_TSA(requires_capability(__VA_ARGS__))
#define RING3_EXCLUDES(...) RING3_TSA(locks_excluded(__VA_ARGS__))
#define RING3_ACQUIRE(...) RING3_TSA(acquire_capability(__VA_ARGS__))
#define RING3_RELEASE(...) RING3_TSA(release_capability(__VA_ARGS__))
#define RING3_TRY_ACQUIRE(...) RING3_TSA(try_acquire_capability(__VA_ARGS__))
#define RING3_ACQUIRED_AFTER(...) RING3_TSA(acquired_after(__VA_ARGS__))
#define RING3_NO_THREAD_SAFETY_ANALYSIS RING3_TSA(no_thread_safety_analysis)
