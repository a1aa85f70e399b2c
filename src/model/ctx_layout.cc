#include "model/ctx_layout.h"

namespace ring3::model {
namespace {

using enum RegKind;

constexpr CtxField kFields[] = {
#define RING3_CTX_FIELD(ctx, field, off, bytes, yields, flags, host_struct, reads, readable, writes, writable, right) \
  {#ctx, #field, off, bytes, yields, flags, host_struct, reads, writes, readable, writable, right},
#include "model/ctx_layouts.def"
#undef RING3_CTX_FIELD
};

bool fits(const CtxField& f, std::uint32_t off, std::uint32_t size, std::uint8_t sizes) {
  if ((sizes & size) == 0 || off < f.off || off + size > std::uint32_t{f.off} + f.size) return false;
  return (sizes & kAtStart) == 0 || off == f.off;
}

}  // namespace

std::span<const CtxField> ctx_fields() { return kFields; }

CtxAccess check_ctx_layout(ProgViews view, std::int32_t off, std::uint32_t size, bool write, bool has_bpf) {
  if (off < 0 || size == 0 || size > 8 || static_cast<std::uint32_t>(off) % size != 0) return {};
  for (std::size_t i = 0; i < std::size(kFields); ++i) {
    const CtxField& f = kFields[i];
    if (((write ? f.writable : f.readable) & view) == 0) continue;
    if (!fits(f, static_cast<std::uint32_t>(off), size, write ? f.writes : f.reads)) continue;
    if (!has_bpf && (f.privileged & view) != 0) continue;
    return {static_cast<std::uint16_t>(i), f.kind, f.flags};
  }
  return {};
}

}  // namespace ring3::model
