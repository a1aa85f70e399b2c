#include "ring3/kptr.h"
#include "ring3/read_section.h"

#include <type_traits>

#include "object/rcu.h"
#include "object/weak_table.h"

namespace ring3 {


/// The public room begins with the node that rcu knows.
struct AfterReadersCall {
  static rcu::Deferred* node(AfterReaders* room) { return reinterpret_cast<rcu::Deferred*>(room->opaque_); }
  static void run(rcu::Deferred* node) {
    auto* room = reinterpret_cast<AfterReaders*>(node);
    room->fn_(room->object_);
  }
};
static_assert(std::is_standard_layout_v<AfterReaders> && sizeof(AfterReaders) >= sizeof(rcu::Deferred) &&
              alignof(AfterReaders) >= alignof(rcu::Deferred));

void after_readers(AfterReaders* room, void* object, void (*fn)(void* object)) noexcept {
  room->object_ = object;
  room->fn_ = fn;
  rcu::call_after_readers(AfterReadersCall::node(room), &AfterReadersCall::run);
}

void wait_for_readers() { rcu::drain(); }

void weak_gone(void* object) noexcept { weak::object_gone(object); }

}  // namespace ring3
