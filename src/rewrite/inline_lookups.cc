// A lookup in a map that is the same on every path becomes the map kind's own instructions.
#include "rewrite/passes.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {

namespace {

std::int64_t add_helper(Rewriting& r, const HelperCall& helper) {
  std::vector<HelperCall>& helpers = r.out.helpers;
  for (std::size_t i = 0; i < helpers.size(); ++i)
    if (helpers[i].id == helper.id && helpers[i].fn == helper.fn) return static_cast<std::int64_t>(i);
  helpers.push_back(helper);
  return static_cast<std::int64_t>(helpers.size() - 1);
}

/// The calls of a kind's code by the numbers of the program's helpers. False: this host or this program lacks one.
bool number_calls(Rewriting& r, maps::InlineCode& code) {
  const HelperCall* cpu = r.in.find_helper != nullptr ? r.in.find_helper(uapi::BPF_FUNC_get_smp_processor_id) : nullptr;
  const bool has_cpu = cpu != nullptr && r.in.verified.touches_percpu;
  for (isa::Insn& insn : code.insns) {
    if (insn.op != isa::Op::kCallHelper) continue;
    if (insn.imm != maps::InlineCode::kCurrentCpu)
      insn.imm = add_helper(r, {kDirectHelper, "bpf_map_lookup_elem", code.functions[static_cast<std::size_t>(insn.imm)], false});
    else if (has_cpu)
      insn.imm = add_helper(r, {kCurrentCpuHelper, cpu->name, cpu->fn});
    else
      return false;
  }
  return true;
}

}  // namespace

Result<void> inline_lookups(Rewriting& r) {
  if (hides_addresses(r)) return {};  // the kind's own lookup keeps indices in range without a branch
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    const isa::Insn& insn = r.copy.at(idx);
    if (r.copy.removed(idx) || insn.op != isa::Op::kCallHelper || insn.imm != uapi::BPF_FUNC_map_lookup_elem)
      continue;
    const std::uint32_t map = r.facts(idx).map;
    if (map >= r.in.maps.size()) continue;
    const maps::Map& known = *r.in.maps[map];
    if (known.ops().codegen.lookup == nullptr) continue;
    maps::InlineCode code;
    known.ops().codegen.lookup(known, code);
    if (!code.insns.empty() && number_calls(r, code)) r.copy.replace(idx, code.insns);
  }
  return {};
}

}  // namespace ring3::rewrite
