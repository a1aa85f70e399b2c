// The shape of each record kind, as rows, and raw access to the bytes of a record.
//
// A record is a common part of 12 bytes (name, info, size or type), a fixed tail that depends on the
// kind, and `vlen` elements. This table is the only place those sizes stand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "btf/btf.h"

namespace ring3::btf {

inline constexpr std::uint32_t kKindCount = 20;
inline constexpr std::uint32_t kRecordBytes = 12;
inline constexpr std::uint32_t kMaxBlobBytes = 16u << 20;  // linux: BTF_MAX_SIZE
inline constexpr std::uint32_t kMaxTypeId = 0xfffff;       // linux/btf.h BTF_MAX_TYPE
inline constexpr std::uint32_t kMaxNameOff = 0xffffff;     // linux/btf.h BTF_MAX_NAME_OFFSET
inline constexpr std::uint32_t kMaxDepth = 32;             // longest chain of references
inline constexpr std::uint32_t kMaxNameBytes = 512;        // linux: KSYM_NAME_LEN

/// What the third word of the common part means.
enum class Third : std::uint8_t { kNone, kSize, kType };

struct KindRow {
  const char* text;            // as logs and dumps print it
  std::uint8_t tail_bytes;     // fixed part after the common one
  std::uint8_t element_bytes;  // each of vlen elements
  Third third;
};

/// Row of a kind; kind must be below kKindCount.
const KindRow& kind_row(Kind kind);

/// The common part of a record, as stored.
struct RawType {
  std::uint32_t name_off;
  std::uint32_t info;
  std::uint32_t size_or_type;

  std::uint32_t kind() const { return (info >> 24) & 0x1f; }
  std::uint16_t vlen() const { return static_cast<std::uint16_t>(info & 0xffff); }
  bool kind_flag() const { return (info >> 31) != 0; }
  bool info_has_unknown_bits() const { return (info & ~0x9f00ffffu) != 0; }
};
static_assert(sizeof(RawType) == kRecordBytes);

struct RawMember { std::uint32_t name_off, type, offset; };
struct RawParam { std::uint32_t name_off, type; };
struct RawArray { std::uint32_t elem, index, count; };
struct RawEnum { std::uint32_t name_off; std::int32_t value; };
struct RawEnum64 { std::uint32_t name_off, low, high; };
struct RawSecVar { std::uint32_t var, off, size; };

/// Reads a record at a byte offset. The caller has checked that it fits.
template <typename Raw>
inline Raw load_raw(std::span<const std::byte> bytes, std::size_t off) {
  Raw raw;
  std::memcpy(&raw, bytes.data() + off, sizeof raw);
  return raw;
}

inline IntInfo decode_int(std::uint32_t data) {
  const std::uint32_t encoding = (data >> 24) & 0xf;
  return {static_cast<std::uint8_t>(data & 0xff), static_cast<std::uint8_t>((data >> 16) & 0xff),
          (encoding & 1) != 0, (encoding & 2) != 0, (encoding & 4) != 0};
}

/// const, volatile, restrict, typedef and type tag: what a chain of references passes through.
inline bool is_modifier(Kind kind) {
  return kind == Kind::kTypedef || kind == Kind::kVolatile || kind == Kind::kConst || kind == Kind::kRestrict ||
         kind == Kind::kTypeTag;
}
inline bool is_struct_or_union(Kind kind) { return kind == Kind::kStruct || kind == Kind::kUnion; }

}  // namespace ring3::btf
