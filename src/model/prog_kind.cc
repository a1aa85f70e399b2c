#include "model/prog_kind.h"

#include "model/ctx_layout.h"
#include "model/helper.h"
#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using enum CtxRule;

constexpr ProgKindRow kRows[] = {
#define RING3_PROG_KIND(type, ctx, rule, view, bytes, flags, sets, min, max) \
  {uapi::BPF_PROG_TYPE_##type, #type, ctx, rule, view, bytes, flags, sets, min, max},
#include "model/prog_kinds.def"
#undef RING3_PROG_KIND
};

}  // namespace

const ProgKindRow* find_prog_kind(std::uint32_t prog_type) {
  for (const ProgKindRow& row : kRows)
    if (row.type == prog_type) return &row;
  return nullptr;
}

ReturnRange return_range(const ProgKindRow& kind, std::uint32_t attach_type) {
  if (kind.flags & kProgAnyReturn) return {};
  // An egress program may also ask for congestion notification.
  if (kind.type == uapi::BPF_PROG_TYPE_CGROUP_SKB && attach_type == uapi::BPF_CGROUP_INET_EGRESS)
    return {false, 0, 3};
  return {false, kind.ret_min, kind.ret_max};
}

}  // namespace ring3::model
