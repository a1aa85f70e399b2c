// A map as a client command uses it: the control slots of MapOps with the checks every kind shares
// (absent operation, buffer sizes, flags, the frozen state). src/syscall and the text views call these.
//
// Source: bpf(2) BPF_MAP_*_ELEM. Errors beside those of the kind: the kind's `missing` for an absent
// operation; kInval wrong buffer size, unknown flag, or BPF_F_LOCK without a lock in the value;
// kPerm a write to a frozen map. The access mode of the descriptor is the caller's to check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "maps/map.h"

namespace ring3::maps {

/// Flags of elements in a batch: BPF_F_LOCK at most. Errors: kInval.
Result<void> check_batch_flags(const Map& map, std::uint64_t flags);
/// Copies one element out. value: value_bytes() bytes.
Result<void> lookup_elem(Map& map, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags);
Result<void> update_elem(Map& map, std::span<const std::byte> key, std::span<const std::byte> value,
                         std::uint64_t flags, FdSource& fds);
Result<void> delete_elem(Map& map, std::span<const std::byte> key);
Result<void> lookup_and_delete_elem(Map& map, std::span<const std::byte> key, std::span<std::byte> value,
                                    std::uint64_t flags);
/// key: empty for the first key.
Result<void> next_key(Map& map, std::span<const std::byte> key, std::span<std::byte> next);

/// A FdSource that knows no descriptors, for kinds whose values are plain bytes.
class NoFds final : public FdSource {
 public:
  Result<Ref<Object>> object(std::int32_t, ObjectKind) override { return Errno::kBadF; }
};

/// Brackets a client's write for its lifetime.
class ClientWrite {
 public:
  explicit ClientWrite(Map& map) : map_(map), begun_(map.begin_client_write()) {}
  ~ClientWrite() {
    if (begun_.ok()) map_.end_client_write();
  }
  ClientWrite(const ClientWrite&) = delete;
  ClientWrite& operator=(const ClientWrite&) = delete;
  Result<void> begun() const { return begun_.ok() ? Result<void>() : Result<void>(begun_.error()); }

 private:
  Map& map_;
  Result<void> begun_;
};

}  // namespace ring3::maps
