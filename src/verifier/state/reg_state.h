// What is known about one register (or about a value spilled to the stack).
//
// Plain data, copied freely; every state of the search holds thousands. Kinds and flags are rows of
// model/pointer_kinds.def. `val` is the value of a scalar, or the variable part of a pointer's offset;
// the fixed part is `off`.
//
// Invariants
//   - kNotInit: nothing else means anything.
//   - a scalar has off 0 and flags 0; `id` links scalars that hold the same value, and with `delta_linked`
//     the same value plus `delta`.
//   - a pointer with kMaybeNull has a nonzero id: all its copies learn the outcome of one test.
//   - ref_obj_id names the reference this value owns or was derived from.
//   - `precise`: a check has relied on this scalar's exact bounds; pruning must compare them.
#pragma once

#include <cstdint>
#include <type_traits>

#include "model/pointer_kinds.h"
#include "verifier/domain/scalar.h"

namespace ring3::verifier {

using model::RegKind;

/// Indexes a table of the program's view (program.h); kNoRef: none.
inline constexpr std::uint32_t kNoIndex = UINT32_MAX;

struct RegState {
  RegKind kind = RegKind::kNotInit;
  bool precise = false;           // of checkpoints only: a path that goes on relies on nothing yet
  bool delta_linked = false;      // scalar: id names value - delta
  bool written = false;           // since the last checkpoint; only for the log
  std::uint16_t flags = 0;        // model::PtrFlag
  std::uint16_t frameno = 0;      // kStack: frame the slot belongs to; kMem with lent_stack(): the buffer's
  std::int32_t off = 0;           // pointer: fixed offset in bytes
  std::int32_t delta = 0;         // scalar with delta_linked; kMem: see lent_stack(); kHostStruct: see voucher()
  std::uint32_t id = 0;
  std::uint32_t ref_obj_id = 0;
  union {
    std::uint32_t map;            // kMapPtr, kMapValue, kMapKey: index into Program::maps
    std::int32_t range;           // packet kinds: bytes proved readable from off 0; or one of the marks below
    std::uint32_t mem_bytes;      // kMem
    std::uint32_t btf_type;       // kHostStruct: struct id …
    std::uint32_t subprog;        // kFunc
    std::uint32_t payload = 0;
  };
  std::uint32_t btf = 0;          // … in Program::btfs; kMapPtr, kMapValue: which lookup in an outer map (map_uid);
                                  // kMem: id of the dynptr it is a slice of
  Scalar64 val{};

  bool is_scalar() const { return kind == RegKind::kScalar; }
  bool is_pointer() const { return kind != RegKind::kScalar && kind != RegKind::kNotInit; }
  bool maybe_null() const { return flags & model::kMaybeNull; }
  bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
  /// A slice that may lie in the buffer its call was given, on the stack of frame `frameno` from offset `delta` on: what is written
  /// through it may be written there.
  bool lent_stack() const { return kind == RegKind::kMem && delta != 0; }
  /// The reference of an iterator, or of the struct that points to it, by which a trusted struct is trusted; 0: nothing ends its trust.
  std::uint32_t voucher() const { return kind == RegKind::kHostStruct ? static_cast<std::uint32_t>(delta) : 0; }
  void set_voucher(std::uint32_t ref) { delta = static_cast<std::int32_t>(ref); }
};
static_assert(std::is_trivially_copyable_v<RegState>);

/// In the place of RegState::range: the pointer itself lies at the end of the packet or behind it, or surely behind it.
inline constexpr std::int32_t kAtPacketEnd = -1, kBeyondPacketEnd = -2;

}  // namespace ring3::verifier
