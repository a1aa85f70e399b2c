#include "model/host_symbols.h"

#include <algorithm>

namespace ring3::model {

bool is_percpu_variable(const btf::Btf& btf, btf::TypeId var) {
  const btf::TypeId section = btf.find(kPercpuSection, btf::Kind::kDatasec);
  if (section == 0) return false;
  const std::vector<btf::SecVar> vars = btf.section_vars(section);
  return std::any_of(vars.begin(), vars.end(), [&](const btf::SecVar& v) { return v.var == var; });
}

HostSymbol find_host_symbol(const Facts& facts, btf::TypeId id) {
  HostSymbol symbol;
  const btf::Type* record = facts.host_btf == nullptr ? nullptr : facts.host_btf->type(id);
  if (record == nullptr) return symbol;
  symbol.name = record->name;
  symbol.kind = HostSymbol::Kind::kOther;
  if (record->kind == btf::Kind::kFunc) {
    symbol.kind = HostSymbol::Kind::kFunction;
    const auto known = std::find_if(facts.kfuncs.begin(), facts.kfuncs.end(), [&](const Kfunc& f) { return f.func == id; });
    if (known != facts.kfuncs.end()) symbol.function = &*known;
  } else if (record->kind == btf::Kind::kVar) {
    symbol.kind = HostSymbol::Kind::kVariable;
    symbol.type = facts.host_btf->skip_modifiers(record->type);
    symbol.percpu = is_percpu_variable(*facts.host_btf, id);
    for (const auto& variable : facts.variables)
      if (variable->var == id) symbol.variable = variable.get();
  }
  return symbol;
}

std::uint64_t symbol_value(const HostSymbol& symbol) {
  const auto number = [](const void* address) { return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(address)); };
  if (symbol.function != nullptr) return number(symbol.function->address);
  if (symbol.variable == nullptr || symbol.variable->first == nullptr) return 0;
  return symbol.variable->percpu() ? number(symbol.variable) | 1 : number(symbol.variable->first);
}

}  // namespace ring3::model
