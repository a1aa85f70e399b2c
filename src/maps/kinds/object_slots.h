// A row of slots that each hold a reference to another object or nothing: the values of program arrays and
// of arrays of maps. Readers follow a slot under RCU and count nothing; the object a slot let go of stays in
// memory until they have left.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "object/object.h"
#include "ring3/result.h"

namespace ring3::maps {

class ObjectSlots {
 public:
  static Result<ObjectSlots> make(std::uint32_t count);
  ObjectSlots(ObjectSlots&&) = default;
  /// Lets all go.
  ~ObjectSlots() { clear(); }

  /// Inside a read section; null: empty or out of range.
  Object* get(std::uint32_t index) const noexcept {
    return index < count_ ? slots_[index].load(std::memory_order_acquire) : nullptr;
  }
  /// Puts a reference in (null: empties) and returns what was there. index is in range.
  Ref<Object> exchange(std::uint32_t index, Ref<Object> o) noexcept {
    return Ref<Object>::adopt(slots_[index].exchange(o.release(), std::memory_order_acq_rel));
  }
  void clear() noexcept {
    for (std::uint32_t i = 0; slots_ && i < count_; ++i) exchange(i, nullptr);
  }
  std::uint32_t count() const { return count_; }
  const std::atomic<Object*>* data() const { return slots_.get(); }
  std::uint64_t bytes() const { return std::uint64_t{count_} * sizeof(std::atomic<Object*>); }

 private:
  ObjectSlots(std::unique_ptr<std::atomic<Object*>[]> slots, std::uint32_t count)
      : slots_(std::move(slots)), count_(count) {}
  std::unique_ptr<std::atomic<Object*>[]> slots_;
  std::uint32_t count_;
};

}  // namespace ring3::maps
