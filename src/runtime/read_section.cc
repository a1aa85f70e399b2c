#include "ring3/read_section.h"

#include "object/rcu_inline.h"

namespace ring3 {

ReadSection::ReadSection() noexcept { rcu::read_lock_inline(); }
ReadSection::~ReadSection() { rcu::read_unlock_inline(); }

}  // namespace ring3
