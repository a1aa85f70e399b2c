// Context fields as rows: ctx_layouts.def.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/pointer_kinds.h"

namespace ring3::model {

/// Which view of a context struct a program kind has; a bit each, so a row names all views at once.
enum CtxLayout : std::uint16_t {
  kViewNone = 0,
  kViewSocketFilter = 1 << 0,
  kViewCgroupSkb = 1 << 1,
  kViewTc = 1 << 2,
  kViewXdp = 1 << 3,
  kViewCgroupSock = 1 << 4,
  kViewLwt = 1 << 5,
  kViewSkSkb = 1 << 6,
};

enum class CtxWidth : std::uint8_t {
  kFull,      // exactly the field
  kNarrow,    // aligned parts may be read, the whole written
  kBytes,     // any aligned access inside
};

struct CtxField {
  std::string_view ctx;        // struct
  std::string_view name;
  std::uint16_t off, size;
  CtxWidth width;
  RegKind kind;                // what a load yields
  std::uint16_t readable;      // CtxLayout bits
  std::uint16_t writable;
  std::uint16_t privileged;    // views in which it needs bpf rights
};

inline constexpr std::uint16_t kNoCtxRow = 0xffff;

/// All rows; a row's index is what InsnFacts::ctx_row holds.
std::span<const CtxField> ctx_fields();

struct CtxAccess {
  std::uint16_t row = kNoCtxRow;
  RegKind kind = RegKind::kNotInit;
};
/// row == kNoCtxRow: not allowed.
CtxAccess check_ctx_layout(std::uint16_t layout, std::int32_t off, std::uint32_t size, bool write, bool privileged);

}  // namespace ring3::model
