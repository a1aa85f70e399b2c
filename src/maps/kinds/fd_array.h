// Arrays whose slots hold objects: a client puts a descriptor in and, where it may read, gets an id out. Program
// arrays, arrays of maps and perf event arrays differ in what a descriptor may name and in what a program sees.
#pragma once

#include <cstring>
#include <optional>
#include <span>

#include "base/mutex.h"
#include "base/try.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/object_slots.h"
#include "maps/map.h"
#include "model/tail_call_kind.h"

namespace ring3::maps {

class FdArray final : public Map {
 public:
  /// Errors: kNoMem.
  static Result<Ref<Map>> make(const MapOps& ops, const MapSpec& spec, MapHost& host);

  ObjectSlots slots;
  Mutex owner_mutex;
  std::optional<model::TailCallKind> owner RING3_GUARDED_BY(owner_mutex);  // program arrays

  /// Empties all slots.
  void let_all_go() noexcept;

 private:
  ~FdArray() override { let_all_go(); }
  FdArray(const MapOps& ops, const MapSpec& spec, MapHost& host, ObjectSlots&& made)
      : Map(ops, spec, host), slots(std::move(made)) {}
};

inline FdArray& as_fd_array(Map& map) { return static_cast<FdArray&>(map); }

/// Values are descriptors; a program neither reads nor writes them, so access flags for programs mean nothing.
/// more_flags: those that the kind knows beside the common ones.
Result<void> check_fd_array(const MapSpec& spec, std::uint32_t more_flags);

/// What was in a slot leaves it.
inline void let_go(Map& m, Ref<Object> held) noexcept {
  if (held && held->kind() == ObjectKind::kProg) m.host().left_prog_array(*held);
}

// Rows of MapOps::control.
Result<void> fd_array_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags);
Result<void> fd_array_erase(Map& m, std::span<const std::byte> key);
std::uint64_t fd_array_bytes(const Map& m);

/// Resolve: Result<Ref<Object>>(Map&, std::span<const std::byte> value, FdSource&).
template <auto Resolve>
Result<void> fd_array_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value, std::uint64_t flags,
                             FdSource& fds) {
  const std::uint32_t index = array_index(key.data());
  if (flags != uapi::BPF_ANY) return Errno::kInval;
  if (index >= m.max_entries()) return Errno::kTooBig;
  let_go(m, as_fd_array(m).slots.exchange(index, RING3_TRY(Resolve(m, value, fds))));
  return {};
}

/// The descriptor in a client's value.
inline std::int32_t fd_of(std::span<const std::byte> value) {
  std::int32_t fd;
  std::memcpy(&fd, value.data(), sizeof fd);
  return fd;
}

}  // namespace ring3::maps
