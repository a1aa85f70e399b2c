// What values of maps, and objects of programs, own through special fields, and how it is given back.
//
// An owned reference, a timer or a work item leaves a field by an exchange with null, the elements of a list or tree leave
// it together under the lock beside its head; so whoever takes something out, a program or the map, has it alone: each
// is given back exactly once, and never under a lock of the map, because a destructor is the host's code and may come
// back here. The map takes references out when an element is overwritten or
// deleted and once more when its memory is reclaimed, because a program that still looks at a deleted element may
// have put one in since.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/text_sink.h"
#include "model/fields.h"
#include "ring3/result.h"

namespace ring3::maps {

class MapHost;

/// Gives one reference back. Called on any thread, also inside read sections: does not block.
struct Releaser {
  void (*release)(void* object, const void* context) = nullptr;
  const void* context = nullptr;
};

/// Kinds of fields that own something.
inline constexpr model::FieldSet kOwningFields =
    model::field_bit(model::FieldKind::kKptrRef) | model::field_bit(model::FieldKind::kKptrPercpu) |
    model::field_bit(model::FieldKind::kListHead) | model::field_bit(model::FieldKind::kRbRoot) |
    model::field_bit(model::FieldKind::kTimer) | model::field_bit(model::FieldKind::kWork) |
    model::field_bit(model::FieldKind::kKptrWeak);  // owns its entry in the table of weak slots

/// What the first word of a timer or work item points to.
class AsyncItem {
 public:
  /// Its field is gone: nothing runs that has not begun, and the item's memory goes after readers. Called once.
  virtual void cancel_and_free() noexcept = 0;

 protected:
  ~AsyncItem() = default;
};

class AllocatedType;

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

/// Immutable; stays where it is as long as anything that was taken out has not been given back.
class FieldOwners {
 public:
  /// Null when nothing in the table owns anything. Errors: kNoEnt a host struct whose references this host cannot give
  /// back; kOpNotSupp timers or work items and a host that runs none; those of AllocatedType::make().
  static Result<std::shared_ptr<const FieldOwners>> make(const model::FieldTable& fields, MapHost& host, TextSink& log);

  /// Takes every reference out of a value.
  void take_out(std::byte* value, Reclaimed& out) const noexcept;
  /// … and gives it back at once. Under no lock.
  void release(std::byte* value) const noexcept {
    Reclaimed now;
    take_out(value, now);
  }

  /// Whether there are timers or work items, and the end of those in a value.
  bool has_deferred() const { return has_deferred_; }
  void cancel_deferred(std::byte* value) const noexcept;

 private:
  struct Owner {
    model::FieldKind kind;
    std::uint32_t off;
    Releaser releaser;
    std::uint32_t node_off;                         // lists, trees
    std::shared_ptr<const AllocatedType> element;   // of the program's own types
  };
  static Result<Owner> describe(const model::Field& field, MapHost& host, TextSink& log);
  /// The word in the field, or the first element of all that were in it. 0: nothing.
  static std::uintptr_t take(const Owner& owner, std::byte* value) noexcept;
  static void drop_list(void* first, const void* owner);
  static void drop_tree(void* first, const void* owner);

  std::vector<Owner> owners_;
  std::int64_t lock_off_ = -1;  // what guards lists and trees
  bool has_deferred_ = false;
};

}  // namespace ring3::maps
