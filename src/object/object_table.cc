#include "object/object_table.h"

#include <fmt/format.h>

#include <climits>
#include <cstdio>

#include "base/check.h"
#include "base/fault_point.h"

namespace ring3 {

ObjectTable::~ObjectTable() {
  const auto left = live();
  for (const std::string& line : left) std::fprintf(stderr, "ring3: leaked: %s\n", line.c_str());
  RING3_CHECK(left.empty(), "objects outlived their table");
}

void ObjectTable::born(Object& o) noexcept {
  MutexLock lock(mutex_);
  o.alive_next_ = alive_;
  if (alive_) alive_->alive_prev_ = &o;
  alive_ = &o;
  ++alive_count_;
}

void ObjectTable::died(Object& o) noexcept {
  MutexLock lock(mutex_);
  if (o.alive_prev_)
    o.alive_prev_->alive_next_ = o.alive_next_;
  else
    alive_ = o.alive_next_;
  if (o.alive_next_) o.alive_next_->alive_prev_ = o.alive_prev_;
  --alive_count_;
  if (const std::uint32_t id = o.id()) space(o.kind()).slots.erase(id);
}

Result<void> ObjectTable::reserve_id(Object& o) {
  MutexLock lock(mutex_);
  if (o.id() != 0) return {};
  if (fault_point()) return Errno::kNoMem;
  Space& s = space(o.kind());
  if (s.slots.size() >= static_cast<std::size_t>(INT_MAX)) return Errno::kNoSpc;
  std::uint32_t id = s.last;
  do {
    id = id >= static_cast<std::uint32_t>(INT_MAX) ? 1 : id + 1;
  } while (s.slots.count(id) != 0);
  s.slots.emplace(id, Slot{&o, false});
  s.last = id;
  o.id_.store(id, std::memory_order_release);
  return {};
}

Result<void> ObjectTable::publish(Object& o) {
  if (auto reserved = reserve_id(o); !reserved) return reserved.error();
  Object* one = &o;
  publish_all({&one, 1});
  return {};
}

void ObjectTable::publish_all(std::span<Object* const> objects) noexcept {
  MutexLock lock(mutex_);
  for (Object* o : objects) {
    Space& s = space(o->kind());
    auto it = s.slots.find(o->id());
    RING3_CHECK(it != s.slots.end() && it->second.object == o, "publishing an object without an id");
    it->second.visible = true;
  }
}

void ObjectTable::withdraw(Object& o) noexcept {
  MutexLock lock(mutex_);
  Space& s = space(o.kind());
  auto it = s.slots.find(o.id());
  if (it != s.slots.end()) it->second.visible = false;
}

bool ObjectTable::published(const Object& o) const noexcept {
  MutexLock lock(mutex_);
  const Space& s = space(o.kind());
  auto it = s.slots.find(o.id());
  return it != s.slots.end() && it->second.visible;
}

Result<Ref<Object>> ObjectTable::find(ObjectKind kind, std::uint32_t id) const {
  MutexLock lock(mutex_);
  const Space& s = space(kind);
  auto it = s.slots.find(id);
  if (it == s.slots.end() || !it->second.visible || !it->second.object->try_ref()) return Errno::kNoEnt;
  return Ref<Object>::adopt(it->second.object);
}

bool ObjectTable::exists(ObjectKind kind, std::uint32_t id) const noexcept {
  MutexLock lock(mutex_);
  return space(kind).slots.count(id) != 0;
}

Result<std::uint32_t> ObjectTable::next_id(ObjectKind kind, std::uint32_t after) const {
  if (after >= static_cast<std::uint32_t>(INT_MAX)) return Errno::kInval;
  MutexLock lock(mutex_);
  const Space& s = space(kind);
  for (auto it = s.slots.upper_bound(after); it != s.slots.end(); ++it)
    if (it->second.visible) return it->first;
  return Errno::kNoEnt;
}

std::vector<std::string> ObjectTable::live() const {
  std::vector<std::string> lines;
  MutexLock lock(mutex_);
  for (const Object* o = alive_; o; o = o->alive_next_) {
    lines.push_back(fmt::format("{} id {} refs {} user_refs {} pid {}", object_kind_name(o->kind()), o->id(), o->refs(),
                                o->user_refs(), o->birth().pid));
#if defined(RING3_REF_ORIGINS)
    for (const std::string& place : ref_places(*o)) lines.push_back("  reference from " + place);
#endif
  }
  return lines;
}

ObjectTable::Held ObjectTable::held_by(std::uint32_t uid) const {
  Held held;
  MutexLock lock(mutex_);
  for (const Object* o = alive_; o; o = o->alive_next_) {
    if (o->birth().uid != uid || o->charged_bytes() == 0 || o->refs() == 0) continue;
    ++held.objects[static_cast<std::size_t>(o->kind())];
    held.bytes += o->charged_bytes();
  }
  return held;
}

std::size_t ObjectTable::live_count() const {
  MutexLock lock(mutex_);
  return alive_count_;
}

}  // namespace ring3
