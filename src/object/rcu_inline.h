// The read section without a function call, for entry points where two calls are measurable. Brings
// in liburcu's macros, so only .cc files and leaf headers of exec/ and struct_ops/ include it.
//
// liburcu keeps each thread's reader record behind a pointer in its own thread-local storage, which a position
// independent caller has to ask the dynamic linker for, several times a section. The record never moves while the
// thread lives, so its address is kept in a slot that costs one load. The slot is emptied when the thread's C++
// destructors run, before liburcu takes the record back; sections opened even later go through liburcu itself.
//
// What is inlined of liburcu is under ten lines a function, which its licence text allows everybody.
// Sanitizer builds use the annotated calls of rcu.h: ThreadSanitizer does not see inside liburcu, and
// UBSan objects to the alignment of its reader records.
#pragma once

#include "object/rcu.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define RING3_RCU_OUT_OF_LINE 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RING3_RCU_OUT_OF_LINE 1
#endif

#if defined(RING3_RCU_OUT_OF_LINE)

namespace ring3::rcu {
inline void read_lock_inline() noexcept { read_lock(); }
inline void read_unlock_inline() noexcept { read_unlock(); }
}  // namespace ring3::rcu

#else

#define _LGPL_SOURCE
#include <urcu/urcu-bp.h>
#undef _LGPL_SOURCE

namespace ring3::rcu {
namespace detail {
/// The calling thread's record; null before its first section and when it ends.
extern constinit thread_local struct ::urcu_bp_reader* t_reader __attribute__((tls_model("initial-exec")));
void read_lock_unknown() noexcept;
void read_unlock_unknown() noexcept;
}  // namespace detail

inline void read_lock_inline() noexcept {
  struct ::urcu_bp_reader* const reader = detail::t_reader;
  if (__builtin_expect(reader == nullptr, 0)) return detail::read_lock_unknown();
  cmm_barrier();
  const unsigned long nesting = reader->ctr;
  const bool outermost = (nesting & URCU_BP_GP_CTR_NEST_MASK) == 0;
  CMM_STORE_SHARED(reader->ctr, outermost ? CMM_LOAD_SHARED(urcu_bp_gp.ctr) : nesting + URCU_BP_GP_COUNT);
  if (outermost) urcu_bp_smp_mb_slave();
}

inline void read_unlock_inline() noexcept {
  struct ::urcu_bp_reader* const reader = detail::t_reader;
  if (__builtin_expect(reader == nullptr, 0)) return detail::read_unlock_unknown();
  urcu_bp_smp_mb_slave();
  CMM_STORE_SHARED(reader->ctr, reader->ctr - URCU_BP_GP_COUNT);
  cmm_barrier();
}
}  // namespace ring3::rcu

#endif

namespace ring3::rcu {

class InlineReadSection {
 public:
  InlineReadSection() noexcept { read_lock_inline(); }
  ~InlineReadSection() { read_unlock_inline(); }
  InlineReadSection(const InlineReadSection&) = delete;
  InlineReadSection& operator=(const InlineReadSection&) = delete;
};

}  // namespace ring3::rcu
