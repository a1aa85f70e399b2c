// The id spaces of one runtime, one per kind: positive ids, allocated cyclically from 1.
// Publishing is the last step of creation: an object is found by id, and walked, only afterwards.
// The table also is the leak list: every live object and, in debug builds, the origin of each
// reference; both are empty when a runtime has ended.
//
// A table outlives its objects: call rcu::drain() before its end.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "object/object.h"
#include "ring3/result.h"

namespace ring3 {

class ObjectTable {
 public:
  ObjectTable() = default;
  /// Checks that nothing is left; a leak is a bug of ring3 and ends the process with the leak list.
  ~ObjectTable();
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  /// Reserves an id without making the object visible. Does nothing when it has one.
  /// Errors: kNoMem; kNoSpc all 2^31 - 1 ids are in use.
  Result<void> reserve_id(Object& o);
  /// Makes it visible to find() and next_id(). Reserves an id first when needed; cannot fail otherwise.
  Result<void> publish(Object& o);
  /// Publishes objects that all have an id, in one step: no walk sees some of them only.
  void publish_all(std::span<Object* const> objects) noexcept;
  /// Takes it out of sight; its id is not reused while the object lives.
  void withdraw(Object& o) noexcept;
  bool published(const Object& o) const noexcept;

  /// A new reference, or kNoEnt: id 0, unknown, not published, or dying.
  Result<Ref<Object>> find(ObjectKind kind, std::uint32_t id) const;
  /// Whether an object of that kind has the id, seen or not: false only after its destructor has run.
  bool exists(ObjectKind kind, std::uint32_t id) const noexcept;
  /// The lowest published id above `after`, or kNoEnt. after >= INT_MAX: kInval.
  Result<std::uint32_t> next_id(ObjectKind kind, std::uint32_t after) const;

  /// One line per live object: kind, id, references; in debug builds followed by one line per
  /// reference that names its place. Empty when nothing leaked.
  std::vector<std::string> live() const;
  std::size_t live_count() const;

  /// What is alive of a user's that was charged; objects that only wait for readers do not count.
  struct Held {
    std::array<std::uint32_t, kObjectKinds> objects{};
    std::uint64_t bytes = 0;
    std::uint32_t of(ObjectKind kind) const { return objects[static_cast<std::size_t>(kind)]; }
  };
  /// Looks at every object.
  Held held_by(std::uint32_t uid) const;

 private:
  friend class Object;
  void born(Object& o) noexcept;
  void died(Object& o) noexcept;

  struct Slot {
    Object* object;
    bool visible;
  };
  struct Space {
    std::uint32_t last = 0;
    std::map<std::uint32_t, Slot> slots;  // from reserve_id() until death
  };
  Space& space(ObjectKind kind) RING3_REQUIRES(mutex_) { return spaces_[static_cast<std::size_t>(kind)]; }
  const Space& space(ObjectKind kind) const RING3_REQUIRES(mutex_) {
    return spaces_[static_cast<std::size_t>(kind)];
  }

  mutable Mutex mutex_;
  std::array<Space, kObjectKinds> spaces_ RING3_GUARDED_BY(mutex_);
  Object* alive_ RING3_GUARDED_BY(mutex_) = nullptr;
  std::size_t alive_count_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3
