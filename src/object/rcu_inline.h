// The read section without a function call, for entry points where two calls are measurable. Brings
// in liburcu's macros, so only .cc files and leaf headers of exec/ and struct_ops/ include it.
//
// The two inlined functions are under ten lines each, which liburcu's licence text allows everybody.
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
inline void read_lock_inline() noexcept { urcu_bp_read_lock(); }
inline void read_unlock_inline() noexcept { urcu_bp_read_unlock(); }
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
