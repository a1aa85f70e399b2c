// The id spaces of one runtime, one per kind: positive ids, allocated cyclically from 1.
// Publishing is the last step of creation: an object is found by id, and walked, only afterwards.
// The table also is the leak list: every live object and, in debug builds, the origin of each
// reference; both are empty when a runtime has ended.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "object/object.h"
#include "ring3/result.h"

namespace ring3 {

class ObjectTable {
 public:
  ObjectTable() = default;
  ~ObjectTable();
  ObjectTable(const ObjectTable&) = delete;
  ObjectTable& operator=(const ObjectTable&) = delete;

  /// Reserves an id without making the object visible. Once per object.
  Result<void> reserve_id(Object& o);
  /// Makes it visible to find() and next_id(). Reserves an id first when needed.
  Result<void> publish(Object& o);
  /// Takes it out of sight; its id is not reused while the object lives.
  void withdraw(Object& o) noexcept;

  /// A new reference, or kNoEnt: id 0, unknown, not published, or dying.
  Result<Ref<Object>> find(ObjectKind kind, std::uint32_t id) const;
  /// The lowest published id above `after`, or kNoEnt. after >= INT_MAX: kInval.
  Result<std::uint32_t> next_id(ObjectKind kind, std::uint32_t after) const;

  /// One line per live object: kind, id, references. Empty when nothing leaked.
  std::vector<std::string> live() const;

 private:
  friend class Object;
  void born(Object& o);
  void died(Object& o) noexcept;

  struct Space {
    std::uint32_t last = 0;
    std::map<std::uint32_t, Object*> by_id;  // published only
    std::map<std::uint32_t, Object*> taken;  // reserved or published, until death
  };
  mutable Mutex mutex_;
  Space spaces_[5] RING3_GUARDED_BY(mutex_);
  std::vector<Object*> alive_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3
