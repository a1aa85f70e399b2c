// Which maps go with which helpers: rows of model/map_helpers.def.
#include "verifier/call/map_rules.h"

#include "model/map_helpers.h"
#include "uapi/bpf.h"
#include "verifier/call/call.h"

namespace ring3::verifier {

namespace {

/// Puts elements into a map, or takes them out.
bool changes_map(std::uint32_t helper) {
  switch (helper) {
    case uapi::BPF_FUNC_map_update_elem: case uapi::BPF_FUNC_map_delete_elem: case uapi::BPF_FUNC_map_push_elem:
    case uapi::BPF_FUNC_map_pop_elem:
      return true;
    default: return false;
  }
}

}  // namespace

Result<void> check_map_for_helper(Step& step, const model::MapFacts& map, const model::HelperProto& proto) {
  bool goes = model::map_goes_with(map.type, proto.id);
  const bool updates = proto.id == uapi::BPF_FUNC_map_update_elem || proto.id == uapi::BPF_FUNC_map_delete_elem;
  if (goes && updates && model::is_socket_map(map.type) && !model::may_update_socket_maps(step.prog.view(), proto.id)) {
    step.diag.explain(Rule::kSocketMapContext, {});
    goes = false;
  }
  if (!goes) return step.diag.refuse(Rule::kMapTypeForHelper, {map.type, helper_text(proto.id)});
  if (changes_map(proto.id) && !map.programs_may_write()) return step.diag.refuse(Rule::kMapUpdateForbidden);
  return {};
}

}  // namespace ring3::verifier
