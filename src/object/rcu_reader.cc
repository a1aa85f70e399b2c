#include "object/rcu_inline.h"

#if !defined(RING3_RCU_OUT_OF_LINE)

namespace ring3::rcu::detail {

constinit thread_local struct ::urcu_bp_reader* t_reader = nullptr;

namespace {

constinit thread_local bool t_ends = false;

struct ForgetAtEnd {
  ~ForgetAtEnd() {
    t_ends = true;
    t_reader = nullptr;
  }
};

}  // namespace

void read_lock_unknown() noexcept {
  urcu_bp_read_lock();
  if (t_ends) return;
  thread_local ForgetAtEnd forget;
  (void)forget;
  t_reader = URCU_TLS(urcu_bp_reader);
}

void read_unlock_unknown() noexcept { urcu_bp_read_unlock(); }

}  // namespace ring3::rcu::detail

#endif
