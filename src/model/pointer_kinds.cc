#include "model/pointer_kinds.h"

namespace ring3::model {
namespace {

constexpr RegKindRow kRows[] = {
#define RING3_REG_KIND(name, text, arith, deref) {RegKind::name, text, PtrArith::arith, DerefRule::deref},
#include "model/pointer_kinds.def"
#undef RING3_REG_KIND
};

struct Prefix {
  std::uint16_t flag;
  std::string_view text;
};
constexpr Prefix kPrefixes[] = {
    {kReadOnly, "rdonly_"}, {kRingbufMem, "ringbuf_"},   {kUserMem, "user_"},     {kPercpuPtr, "percpu_"},
    {kRcuPtr, "rcu_"},      {kUntrusted, "untrusted_"}, {kTrusted, "trusted_"},
};

}  // namespace

const RegKindRow& kind_row(RegKind kind) { return kRows[static_cast<std::size_t>(kind)]; }

std::string kind_text(RegKind kind, std::uint16_t flags) {
  std::string out;
  for (const Prefix& p : kPrefixes)
    if (flags & p.flag) out += p.text;
  out += kind_row(kind).text;
  if (flags & kMaybeNull) out += kind == RegKind::kHostStruct ? "or_null_" : "_or_null";
  return out;
}

}  // namespace ring3::model
