#include "object/object.h"

#include "base/check.h"
#include "object/object_table.h"

namespace ring3 {

const char* object_kind_name(ObjectKind kind) noexcept {
  switch (kind) {
    case ObjectKind::kMap: return "map";
    case ObjectKind::kProg: return "prog";
    case ObjectKind::kLink: return "link";
    case ObjectKind::kBtf: return "btf";
    case ObjectKind::kToken: return "token";
    case ObjectKind::kEvents: return "events";
    case ObjectKind::kStats: return "stats";
  }
  return "?";
}

Object::Object(ObjectKind kind, ObjectTable& table, Birth birth) : kind_(kind), table_(table), birth_(birth) {
  grave_.object = this;
  table_.born(*this);
}

Object::~Object() { table_.died(*this); }

void Object::ref() noexcept {
  const std::uint64_t before = refs_.fetch_add(1, std::memory_order_relaxed);
  RING3_CHECK(before != 0, "reference taken on a dead object");
}

bool Object::try_ref() noexcept {
  std::uint64_t n = refs_.load(std::memory_order_relaxed);
  while (n != 0)
    if (refs_.compare_exchange_weak(n, n + 1, std::memory_order_relaxed)) return true;
  return false;
}

void Object::unref() noexcept {
  const std::uint64_t before = refs_.fetch_sub(1, std::memory_order_acq_rel);
  RING3_CHECK(before != 0, "reference dropped twice");
  if (before != 1) return;
  table_.withdraw(*this);
  last_ref();
  // The virtual destructor and all memory of the object go after every reader that may have found it.
  rcu::call_after_readers(&grave_, [](rcu::Deferred* d) { delete static_cast<Grave*>(d)->object; });
}

void Object::user_ref() noexcept {
  ref();
  user_refs_.fetch_add(1, std::memory_order_relaxed);
}

void Object::user_unref() noexcept {
  const std::uint64_t before = user_refs_.fetch_sub(1, std::memory_order_acq_rel);
  RING3_CHECK(before != 0, "user reference dropped twice");
  if (before == 1) last_user_ref();
  unref();
}

}  // namespace ring3
