// What programs read through socket pointers, as rows: sock_fields.def.
#pragma once

#include <cstdint>

#include "model/pointer_kinds.h"

namespace ring3::model {

/// May a pointer of this kind read `size` bytes at `off`?
bool sock_field_readable(RegKind kind, std::int32_t off, std::uint32_t size);

/// struct bpf_flow_keys: plain bytes, read and written.
inline constexpr std::uint32_t kFlowKeysBytes = 56;

}  // namespace ring3::model
