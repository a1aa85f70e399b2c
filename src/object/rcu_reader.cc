// The short way into a read section. liburcu keeps each thread's record behind a pointer in its own thread-local
// storage, which a position independent caller has to ask the dynamic linker for, several times a section. The record
// never moves while the thread lives, so its address is kept in a slot that costs one load. The slot is emptied
// when the thread's C++ destructors run, before liburcu takes the record back; sections opened even later go through
// liburcu itself.
//
// Sanitizer builds never fill the slot: ThreadSanitizer does not see inside liburcu and needs the annotated calls of
// rcu.h, and UBSan objects to the alignment of its records.
#include "object/rcu.h"
#include "ring3/read_section.h"

#define _LGPL_SOURCE
#include <urcu/urcu-bp.h>
#undef _LGPL_SOURCE

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define RING3_RCU_OUT_OF_LINE 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RING3_RCU_OUT_OF_LINE 1
#endif

namespace ring3::detail {

constinit thread_local Reader* t_reader = nullptr;
const unsigned long* const reader_period = &urcu_bp_gp.ctr;

#if defined(RING3_RCU_OUT_OF_LINE)

void open_section() noexcept { rcu::read_lock(); }

#else

static_assert(kOpenSections == URCU_BP_GP_CTR_NEST_MASK && URCU_BP_GP_COUNT == 1);
static_assert(offsetof(struct ::urcu_bp_reader, ctr) == 0);

namespace {

constinit thread_local bool t_ends = false;

struct ForgetAtEnd {
  ~ForgetAtEnd() {
    t_ends = true;
    t_reader = nullptr;
  }
};

}  // namespace

void open_section() noexcept {
  rcu::read_lock();
  if (t_ends || t_reader != nullptr || !urcu_bp_has_sys_membarrier) return;
  thread_local ForgetAtEnd forget;
  (void)forget;
  t_reader = reinterpret_cast<Reader*>(URCU_TLS(urcu_bp_reader));
}

#endif

void close_section() noexcept { rcu::read_unlock(); }

}  // namespace ring3::detail
