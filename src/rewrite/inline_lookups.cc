// A lookup in a map that is the same on every path becomes the map kind's own instructions.
#include "rewrite/passes.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {

Result<void> inline_lookups(Rewriting& r) {
  if (hides_addresses(r)) return {};  // the kind's own lookup keeps indices in range without a branch
  std::vector<isa::Insn> sequence;
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    const isa::Insn& insn = r.copy.at(idx);
    if (r.copy.removed(idx) || insn.op != isa::Op::kCallHelper || insn.imm != uapi::BPF_FUNC_map_lookup_elem)
      continue;
    const std::uint32_t map = r.facts(idx).map;
    if (map >= r.in.maps.size()) continue;
    const maps::Map& known = *r.in.maps[map];
    if (known.ops().codegen.lookup == nullptr) continue;
    sequence.clear();
    known.ops().codegen.lookup(known, sequence);
    if (!sequence.empty()) r.copy.replace(idx, sequence);
  }
  return {};
}

}  // namespace ring3::rewrite
