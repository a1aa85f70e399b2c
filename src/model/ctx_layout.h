// Context fields as rows: ctx_layouts.def.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/pointer_kinds.h"
#include "model/prog_view.h"

namespace ring3::model {

/// Sizes of access a field takes; bits. Aligned to its own size, anywhere inside the field.
enum CtxSize : std::uint8_t {
  k1Byte = 1,
  k2Bytes = 2,
  k4Bytes = 4,
  k8Bytes = 8,
  kUpTo4 = 7,
  kAnySize = 15,
  kAtStart = 16,  // narrow access only where the field starts
};

struct CtxField {
  std::string_view ctx;        // struct
  std::string_view name;
  std::uint16_t off, size;
  RegKind kind;                // what a load yields …
  std::uint16_t flags;         // … with which PtrFlag bits …
  const char* host_struct;     // … of which struct: kHostStruct
  std::uint8_t reads, writes;  // CtxSize bits
  ProgViews readable;
  ProgViews writable;
  ProgViews privileged;        // views in which it needs bpf rights
};

inline constexpr std::uint16_t kNoCtxRow = 0xffff;

/// All rows; a row's index is what InsnFacts::ctx_row holds.
std::span<const CtxField> ctx_fields();

struct CtxAccess {
  std::uint16_t row = kNoCtxRow;
  RegKind kind = RegKind::kNotInit;
  std::uint16_t flags = 0;     // PtrFlag bits of what a load yields
};
/// row == kNoCtxRow: not allowed. view: one bit, model::prog_view().
CtxAccess check_ctx_layout(ProgViews view, std::int32_t off, std::uint32_t size, bool write, bool has_bpf);

}  // namespace ring3::model
