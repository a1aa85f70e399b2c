// What all kinds with keys 0 … max_entries-1 share: the key, its bounds, the order of keys, the
// attribute check.
#pragma once

#include <cstring>
#include <limits>
#include <span>

#include "maps/map.h"
#include "maps/map_check.h"

namespace ring3::maps {

inline std::uint32_t array_index(const void* key) {
  std::uint32_t index;
  std::memcpy(&index, key, sizeof index);
  return index;
}

/// The index if it is below `count`, else 0, without a branch: a CPU that guesses a bounds check wrong stays inside
/// (Spectre v1). For lookups by programs.
inline std::uint32_t bounded_index(std::uint32_t index, std::uint32_t count) {
  std::uint64_t wide = index;
  asm volatile("" : "+r"(wide));  // the compiler must not conclude from the check before that nothing is to be done
  const auto below = static_cast<std::int64_t>(wide - count) >> 63;
  return static_cast<std::uint32_t>(wide & static_cast<std::uint64_t>(below));
}

/// The beginning of an inline lookup: r1 = the index at r2, r0 = 0, and a jump, the last instruction, that is taken when
/// the index is out of bounds.
inline void append_bounded_index(const Map& map, InlineCode& out) {
  out.load(4, 1, 2);
  out.by_constant(isa::Op::kMov, 0, 0);
  // 32 bits wide: an immediate above INT_MAX must not be sign extended.
  out.jump(isa::Op::kJge, 32, 1, static_cast<std::int32_t>(map.max_entries()));
}

/// Flags of an update of a slot that always exists. `modifiers` may stand beside BPF_ANY and BPF_EXIST.
/// Order as in Linux: unknown flags, the index, BPF_NOEXIST.
inline Result<void> check_array_update(const Map& map, std::uint32_t index, std::uint64_t flags,
                                       std::uint64_t modifiers) {
  if ((flags & ~modifiers) > uapi::BPF_EXIST) return Errno::kInval;
  if (index >= map.max_entries()) return Errno::kTooBig;
  if (flags & uapi::BPF_NOEXIST) return Errno::kExist;
  return {};
}

inline Result<void> array_next_key(Map& map, std::span<const std::byte> key, std::span<std::byte> next) {
  const std::uint32_t at = key.empty() ? std::numeric_limits<std::uint32_t>::max() : array_index(key.data());
  std::uint32_t following = 0;
  if (at < map.max_entries()) {
    if (at == map.max_entries() - 1) return Errno::kNoEnt;
    following = at + 1;
  }
  std::memcpy(next.data(), &following, sizeof following);
  return {};
}

/// The part of the attribute check that no array differs in; `flags` are those the kind knows.
inline Result<void> check_array_attr(const MapSpec& spec, std::uint32_t flags) {
  if (spec.max_entries == 0 || spec.key_size != sizeof(std::uint32_t) || spec.value_size == 0 ||
      (spec.flags & ~flags) != 0 || !access_flags_ok(spec.flags))
    return Errno::kInval;
  if (spec.value_size > static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max())) return Errno::kTooBig;
  return {};
}

/// Keys of arrays are 32-bit integers; a single slot described by a data section has none.
inline Result<void> check_array_btf(const MapSpec& spec) {
  if (spec.key_type == 0) {
    const btf::Type* value = spec.btf->type(spec.value_type);
    return spec.max_entries == 1 && value && value->kind == btf::Kind::kDatasec ? Result<void>() : Errno::kInval;
  }
  const auto key = spec.btf->integer(spec.btf->skip_modifiers(spec.key_type));
  return key && key->bits == 32 && key->bit_off == 0 ? Result<void>() : Errno::kInval;
}

}  // namespace ring3::maps
