// How the values of one map are copied (behaviour.md C.4.2): a client sees zeros in the place of special
// fields, and no update touches them. A free slot or element always has them in their initial state
// (zeros), so a new element starts with that: whoever takes an element out of use puts them back
// (field_owners.h), except a lock, which a program that still looks at the old element may hold.
// The lock flag copies under the lock that stands in the value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/fields.h"

namespace ring3::maps {

class ValueShape {
 public:
  ValueShape(std::uint32_t value_size, const model::FieldTable& fields);

  bool plain() const { return ranges_.size() == 1 && ranges_[0].size == value_size_; }
  bool has_fields() const { return !plain(); }
  bool has_lock() const { return lock_off_ >= 0; }

  /// value: storage in the map, 8-byte aligned. from: value_size bytes.
  void write(std::byte* value, const void* from) const noexcept;
  /// Zeros.
  void clear(std::byte* value) const noexcept;
  /// to: value_size bytes.
  void read(void* to, const std::byte* value) const noexcept;

  /// The same under the value's own lock. Only when has_lock().
  void write_locked(std::byte* value, const void* from) const noexcept;
  void read_locked(void* to, std::byte* value) const noexcept;

 private:
  struct Range {
    std::uint32_t off, size;
  };
  std::uint32_t value_size_;
  std::vector<Range> ranges_;  // bytes that are plain data, by offset
  std::vector<Range> fields_;  // bytes that are special fields
  std::int64_t lock_off_ = -1;
};

}  // namespace ring3::maps
