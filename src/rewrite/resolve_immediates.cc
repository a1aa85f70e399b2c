// Wide immediates that name something become values: maps and map values their address, functions their
// place in the program (finish.cc renumbers what dead code removal took out).
#include <algorithm>

#include "base/try.h"
#include "model/host_symbols.h"
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using isa::Pseudo;

const verifier::WideImmediate* find_wide(const RewriteInput& in, std::uint32_t idx) {
  const auto wide = in.program.wide;
  const auto it = std::lower_bound(wide.begin(), wide.end(), idx,
                                   [](const verifier::WideImmediate& w, std::uint32_t i) { return w.idx < i; });
  return it != wide.end() && it->idx == idx ? &*it : nullptr;
}

void set_value(isa::Insn& insn, std::uint64_t value) {
  insn.src = static_cast<std::uint8_t>(Pseudo::kImm);
  insn.imm = static_cast<std::int64_t>(value);
}

Result<maps::Map*> named_map(Rewriting& r, std::uint32_t idx) {
  const verifier::WideImmediate* wide = find_wide(r.in, idx);
  if (wide == nullptr || wide->map >= r.in.maps.size())
    return r.refuse(Errno::kInval, idx, "a map reference that was not resolved");
  return r.in.maps[wide->map];
}

Result<void> resolve(Rewriting& r, std::uint32_t idx) {
  isa::Insn& insn = r.copy.at(idx);
  switch (insn.pseudo()) {
    case Pseudo::kImm:
    case Pseudo::kFunc: return {};
    case Pseudo::kMapFd:
    case Pseudo::kMapIdx: {
      maps::Map* const map = RING3_TRY(named_map(r, idx));
      set_value(insn, reinterpret_cast<std::uint64_t>(map));
      return {};
    }
    case Pseudo::kMapValue:
    case Pseudo::kMapIdxValue: {
      maps::Map* const map = RING3_TRY(named_map(r, idx));
      const auto direct_value = map->ops().codegen.direct_value;
      if (direct_value == nullptr)
        return r.refuse(Errno::kInval, idx, "direct value access to a map that has no direct value");
      set_value(insn, RING3_TRY(direct_value(*map, find_wide(r.in, idx)->value_off)));
      return {};
    }
    case Pseudo::kBtfId: {
      const verifier::WideImmediate* wide = find_wide(r.in, idx);
      if (wide == nullptr) return r.refuse(Errno::kInval, idx, "a host symbol that was not resolved");
      const std::uint64_t value = model::symbol_value(model::find_host_symbol(r.in.facts, wide->btf_id));
      if (value == 0) return r.refuse(Errno::kInval, idx, "a host symbol without an address here");
      set_value(insn, value);
      return {};
    }
  }
  return r.refuse(Errno::kInval, idx, "unknown wide immediate");
}

}  // namespace

Result<void> resolve_immediates(Rewriting& r) {
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx) || r.copy.at(idx).op != isa::Op::kLdImm64) continue;
    if (Result<void> done = resolve(r, idx); !done) return done;
  }
  return {};
}

}  // namespace ring3::rewrite
