#include "verifier/program.h"

#include <algorithm>

namespace ring3::verifier {

std::uint32_t Program::subprog_at(std::uint32_t idx) const {
  const auto after = std::upper_bound(subprogs.begin(), subprogs.end(), idx,
                                      [](std::uint32_t i, const SubprogInfo& s) { return i < s.start; });
  return static_cast<std::uint32_t>(after - subprogs.begin()) - 1;
}

std::uint32_t Program::subprog_starting(std::uint32_t idx) const {
  const std::uint32_t s = subprog_at(idx);
  return s < subprogs.size() && subprogs[s].start == idx ? s : UINT32_MAX;
}

const model::Kfunc* Program::find_kfunc(const isa::Insn& insn, std::uint32_t& index) const {
  if (insn.off != 0) return nullptr;
  const auto at = std::lower_bound(kfuncs_by_func.begin(), kfuncs_by_func.end(), std::pair{static_cast<btf::TypeId>(insn.imm), 0u});
  if (at == kfuncs_by_func.end() || at->first != static_cast<btf::TypeId>(insn.imm)) return nullptr;
  index = at->second;
  return &facts.kfuncs[index];
}

void Program::index_kfuncs() {
  if (std::none_of(in.insns.begin(), in.insns.end(), [](const isa::Insn& insn) { return insn.op == isa::Op::kCallKfunc; })) return;
  for (std::uint32_t i = 0; i < facts.kfuncs.size(); ++i)
    if (facts.kfuncs[i].btf == facts.host_btf) kfuncs_by_func.emplace_back(facts.kfuncs[i].func, i);
  std::sort(kfuncs_by_func.begin(), kfuncs_by_func.end());
}

model::KfuncSpecial Program::special_of(std::uint32_t kfunc) {
  if (specials.empty()) specials.assign(facts.kfuncs.size(), -1);
  std::int8_t& known = specials[kfunc];
  if (known < 0) {
    const model::KernelKfunc* row = model::find_kernel_kfunc(facts.kfuncs[kfunc].name);
    known = static_cast<std::int8_t>(row == nullptr ? model::KfuncSpecial::kNone : row->special);
  }
  return static_cast<model::KfuncSpecial>(known);
}

std::uint32_t Program::btf_index(const btf::Btf* btf) {
  for (std::size_t i = 0; i < btfs.size(); ++i)
    if (btfs[i] == btf) return static_cast<std::uint32_t>(i);
  btfs.push_back(btf);
  return static_cast<std::uint32_t>(btfs.size() - 1);
}

std::string_view Program::btf_name(std::uint32_t btf, btf::TypeId id) const {
  const btf::Type* named = btf_type(btf, id);
  return named == nullptr ? std::string_view("?") : named->name;
}

}  // namespace ring3::verifier
