// Weak slots: words that hold the address of a host's object without keeping it alive, and that become zero when its last
// reference goes.
//
// Each filled slot has an entry, found by the object's address. The table is the process's, not a runtime's: it is keyed
// by addresses, and an object's owner, who says that it goes, knows no runtime.
//
// Soundness: a slot changes only under the lock of the bucket of what it holds and of what it gets (both, in the order of
// the buckets), so a nonzero slot always has exactly one entry, in the bucket of its value. object_gone() clears an object's
// slots before the object's memory is handed to the readers' grace period. So whoever loads a slot inside a read
// section gets zero or an object whose memory lasts to the end of that section; the object may be dying, which
// WeakType::acquire finds out.
//
// Locks: a bucket's, leaves that may be taken anywhere, two of them in the order of their addresses. Host functions
// (acquire, weaken, release) run under none of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ring3 {

/// What the table asks of a type of objects. Immutable; outlives every slot of the type.
struct WeakType {
  const void* context = nullptr;
  /// One more reference, inside a read section; false: it is dying.
  bool (*acquire)(const void* context, void* object) = nullptr;
  /// From now on the object's end is told to object_gone(). The caller holds a reference. False: it cannot.
  bool (*weaken)(const void* context, void* object) = nullptr;
  void (*release)(const void* context, void* object) = nullptr;
};

namespace weak {

/// Makes the slot refer to `object` (null: to nothing), whose reference, which the caller gives away, is released. Returns a
/// reference to what was there before, or null when that is gone. Without memory, and for an object that cannot be
/// weakened, the slot refers to nothing.
void* exchange(std::uint64_t* slot, void* object, const WeakType& type) noexcept;

/// The slot's memory will be used for something else, or ends.
void clear(std::uint64_t* slot) noexcept;

/// The last reference to an object has gone: its slots read as zero from now on. Before its readers are waited for.
void object_gone(void* object) noexcept;

/// Filled slots. For tests.
std::size_t filled() noexcept;

}  // namespace weak
}  // namespace ring3
