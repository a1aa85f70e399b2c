#include "model/prog_kind.h"

#include "model/target_lists.h"
#include "uapi/bpf.h"

namespace ring3::model {
namespace {

using enum CtxRule;

constexpr ProgKindRow kKinds[] = {
#define RING3_PROG_KIND(type, ctx, rule, bytes, flags, rights) \
  {uapi::BPF_PROG_TYPE_##type, #type, ctx, rule, bytes, flags, rights},
#include "model/prog_kinds.def"
#undef RING3_PROG_KIND
};

constexpr std::uint32_t kAnyAttach = UINT32_MAX;
constexpr ReturnRange kAny{};
constexpr ReturnRange between(std::int32_t min, std::int32_t max) { return {false, min, max}; }

struct ViewRow {
  std::uint32_t type, attach_type;
  ProgViews view;
  ReturnRange returns;
};
using namespace uapi;  // attach types, by their names
constexpr ViewRow kViews[] = {
#define RING3_PROG_VIEW(type, attach, view, returns) {BPF_PROG_TYPE_##type, attach, view, returns},
#include "model/prog_views.def"
#undef RING3_PROG_VIEW
};

const ViewRow* find_view(std::uint32_t prog_type, std::uint32_t attach_type) {
  for (const ViewRow& row : kViews)
    if (row.type == prog_type && (row.attach_type == attach_type || row.attach_type == kAnyAttach)) return &row;
  return nullptr;
}

}  // namespace

const ProgKindRow* find_prog_kind(std::uint32_t prog_type) {
  for (const ProgKindRow& row : kKinds)
    if (row.type == prog_type) return &row;
  return nullptr;
}

ProgViews prog_view(std::uint32_t prog_type, std::uint32_t attach_type) {
  const ViewRow* row = find_view(prog_type, attach_type);
  return row == nullptr ? ProgViews{kViewNone} : row->view;
}

bool may_load(const ProgKindRow& kind, const Rights& rights) { return has_rights(rights, kind.rights); }

ReturnRange return_range(const ProgKindRow& kind, std::uint32_t attach_type) {
  const ViewRow* row = find_view(kind.type, attach_type);
  return row == nullptr ? kAny : row->returns;
}

ReturnRange lsm_return_range(std::uint32_t attach_type, std::string_view hook, bool returns_void) {
  if (attach_type == BPF_LSM_CGROUP) return returns_void ? between(1, 1) : between(0, 1);
  if (returns_void) return kAny;
  if (is_on(TargetList::kBoolHooks, hook)) return between(0, 1);
  return between(-4095, 0);
}

}  // namespace ring3::model
