// What a register may hold, as rows: pointer_kinds.def.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ring3::model {

enum class RegKind : std::uint8_t {
#define RING3_REG_KIND(name, text, arith, deref) name,
#include "model/pointer_kinds.def"
#undef RING3_REG_KIND
};

/// Which pointer arithmetic a kind takes.
enum class PtrArith : std::uint8_t { kNo, kKnown, kAny };
/// Which rules judge a load or store.
enum class DerefRule : std::uint8_t { kNever, kCtx, kMapPtr, kMapValue, kSized, kStack, kPacket, kHostStruct, kSock, kFlowKeys, kArena };

/// Qualifiers of a pointer; a bit each.
enum PtrFlag : std::uint16_t {
  kMaybeNull = 1 << 0,
  kReadOnly = 1 << 1,
  kRingbufMem = 1 << 2,   // memory reserved from a ring buffer
  kUserMem = 1 << 3,      // client memory: never dereferenced directly
  kPercpuPtr = 1 << 4,    // names one copy per CPU: never dereferenced directly
  kRcuPtr = 1 << 5,       // valid while the read section lasts
  kUntrusted = 1 << 6,    // may dangle: faulting reads only
  kTrusted = 1 << 7,      // valid for the whole run of the program
  kAllocObj = 1 << 8,     // from bpf_obj_new
  kNonOwning = 1 << 9,    // reference into a collection
  kPacketSlice = 1 << 10, // memory of a packet, gone when the packet changes
};

struct RegKindRow {
  RegKind kind;
  std::string_view text;
  PtrArith arith;
  DerefRule deref;
};
const RegKindRow& kind_row(RegKind kind);

/// The kernel log's spelling: "rdonly_mem_or_null", "trusted_ptr_", "map_value", …
std::string kind_text(RegKind kind, std::uint16_t flags);

}  // namespace ring3::model
