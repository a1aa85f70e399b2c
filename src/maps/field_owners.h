// What a map's values own through special fields, and how it is given back.
//
// An owned reference leaves a field by an exchange with null, so whoever exchanges it out, a program or the map,
// has it alone: each is given back exactly once, and never under a lock of the map, because a destructor is the
// host's code and may come back here. The map takes references out when an element is overwritten or
// deleted and once more when its memory is reclaimed, because a program that still looks at a deleted element may
// have put one in since.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "model/fields.h"

namespace ring3::maps {

class MapHost;

/// Gives one reference back. Called on any thread, also inside read sections: does not block.
struct Releaser {
  void (*release)(void* object, const void* context) = nullptr;
  const void* context = nullptr;
};

/// Kinds of fields that own what they point to.
inline constexpr model::FieldSet kOwningFields =
    model::field_bit(model::FieldKind::kKptrRef) | model::field_bit(model::FieldKind::kKptrPercpu);

/// References taken out of fields; given back when it ends, which is after the locks.
class Reclaimed {
 public:
  Reclaimed() {}  // NOLINT: the items are left as they are
  Reclaimed(const Reclaimed&) = delete;
  Reclaimed& operator=(const Reclaimed&) = delete;
  ~Reclaimed() {
    if (count_ != 0) give_back();
  }
  /// For more than the fields of one value.
  void reserve(std::size_t values) { more_.reserve(values * model::kMaxFields); }
  void add(const Releaser& releaser, void* object) noexcept;

 private:
  struct Item {
    Releaser releaser;
    void* object;
  };
  void give_back() noexcept;

  std::size_t count_ = 0;
  union {
    std::array<Item, model::kMaxFields> items_;
  };
  std::vector<Item> more_;
};

class FieldOwners {
 public:
  /// Null when nothing in the table owns anything.
  static std::shared_ptr<const FieldOwners> make(const model::FieldTable& fields, MapHost& host);

  /// Takes every reference out of a value.
  void take_out(std::byte* value, Reclaimed& out) const noexcept;
  /// … and gives it back at once. Under no lock.
  void release(std::byte* value) const noexcept {
    Reclaimed now;
    take_out(value, now);
  }

 private:
  struct Owner {
    std::uint32_t off;
    Releaser releaser;
  };
  std::vector<Owner> owners_;
};

}  // namespace ring3::maps
