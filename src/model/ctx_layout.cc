#include "model/ctx_layout.h"

#include <cstddef>

#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using enum CtxWidth;
using enum RegKind;

constexpr CtxField kFields[] = {
#define RING3_CTX_FIELD(ctx, field, bytes, width, yields, readable, writable, privileged) \
  {#ctx, #field, offsetof(uapi::ctx, field), bytes, width, yields, readable, writable, privileged},
#include "model/ctx_layouts.def"
#undef RING3_CTX_FIELD
};

/// A naturally aligned power of two inside the field. Parts of an array element stay inside the element.
bool fits(const CtxField& f, std::uint32_t off, std::uint32_t size, bool write) {
  if (off < f.off || off + size > std::uint32_t{f.off} + f.size) return false;
  const std::uint32_t element = f.size > 8 ? 4 : f.size;
  switch (f.width) {
    case kFull: return off == f.off && size == f.size;
    case kNarrow: return size <= element && (!write || size == element);
    case kBytes: return true;
  }
  return false;
}

}  // namespace

std::span<const CtxField> ctx_fields() { return kFields; }

CtxAccess check_ctx_layout(std::uint16_t layout, std::int32_t off, std::uint32_t size, bool write, bool privileged) {
  if (off < 0 || static_cast<std::uint32_t>(off) % size != 0) return {};
  for (std::size_t i = 0; i < std::size(kFields); ++i) {
    const CtxField& f = kFields[i];
    if (((write ? f.writable : f.readable) & layout) == 0) continue;
    if (!fits(f, static_cast<std::uint32_t>(off), size, write)) continue;
    if (!privileged && (f.privileged & layout) != 0) return {};
    return {static_cast<std::uint16_t>(i), f.kind};
  }
  return {};
}

}  // namespace ring3::model
