#include "object/transaction.h"

#include <algorithm>
#include <iterator>

#include "base/fault_point.h"
#include "base/try.h"

namespace ring3 {

Result<void> Transaction::add(Ref<Object> o) {
  MutexLock lock(mutex_);
  if (ended_) return Errno::kBusy;
  if (fault_point()) return Errno::kNoMem;
  objects_.reserve(objects_.size() + 1);
  RING3_TRY(table_.reserve_id(*o));
  objects_.push_back(std::move(o));
  return {};
}

void Transaction::drop(const Object& o) noexcept {
  Ref<Object> gone;  // the reference goes after the lock
  MutexLock lock(mutex_);
  for (auto it = objects_.begin(); it != objects_.end(); ++it) {
    if (it->get() != &o) continue;
    gone = std::move(*it);
    objects_.erase(it);
    return;
  }
}

void Transaction::drop_abandoned() noexcept {
  // One at a time and without an allocation: the last reference must not go under the lock.
  for (;;) {
    Ref<Object> gone;
    MutexLock lock(mutex_);
    const auto it = std::find_if(objects_.rbegin(), objects_.rend(), [](const Ref<Object>& o) { return o->refs() == 1; });
    if (it == objects_.rend()) return;
    gone = std::move(*it);
    objects_.erase(std::next(it).base());
  }
}

std::vector<Ref<Object>> Transaction::objects() const {
  MutexLock lock(mutex_);
  return objects_;
}

Result<Ref<Object>> Transaction::find(ObjectKind kind, std::uint32_t id) const {
  MutexLock lock(mutex_);
  for (const Ref<Object>& o : objects_)
    if (o->kind() == kind && o->id() == id) return Ref<Object>(o);
  return Errno::kNoEnt;
}

Result<std::uint32_t> Transaction::next_id(ObjectKind kind, std::uint32_t after) const {
  MutexLock lock(mutex_);
  std::uint32_t best = 0;
  for (const Ref<Object>& o : objects_)
    if (o->kind() == kind && o->id() > after && (best == 0 || o->id() < best)) best = o->id();
  if (best == 0) return Errno::kNoEnt;
  return best;
}

Result<void> Transaction::commit() {
  std::vector<Ref<Object>> done;  // references go after the locks
  MutexLock lock(mutex_);
  if (ended_) return Errno::kBusy;
  if (fault_point()) return Errno::kNoMem;  // nothing is published yet
  std::vector<Object*> raw;
  raw.reserve(objects_.size());
  for (const Ref<Object>& o : objects_) raw.push_back(o.get());
  table_.publish_all(raw);
  ended_ = true;
  done.swap(objects_);
  return {};
}

void Transaction::rollback() noexcept {
  std::vector<Ref<Object>> gone;
  {
    MutexLock lock(mutex_);
    ended_ = true;
    gone.swap(objects_);
  }
  // Latest first: what was made last may depend on what was made before.
  while (!gone.empty()) gone.pop_back();
}

bool Transaction::open() const {
  MutexLock lock(mutex_);
  return !ended_;
}

std::size_t Transaction::size() const {
  MutexLock lock(mutex_);
  return objects_.size();
}

}  // namespace ring3
