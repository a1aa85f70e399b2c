// Addresses of variables and functions of the host, by their records in its BTF.
//
//   a variable of a struct type    the struct, which nobody vouches for: read with faulting loads
//   any other                      read-only memory of its size
//   a per-CPU one                  a name for its copies: bpf_per_cpu_ptr and bpf_this_cpu_ptr give them
//   a function                     something that is not null, and cannot be read
//
// Soundness: the host promises that a registered variable outlives its runtime and has the size its types say, so direct loads
// within that size are fine; programs never write it. What the types alone know has no address, and no program gets one.
#include "model/host_symbols.h"
#include "verifier/kinds/host_symbol.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

using model::HostSymbol;

Result<void> check_host_symbols(const Program& prog, Diag& diag) {
  for (const WideImmediate& w : prog.in.wide) {
    if (w.pseudo != isa::Pseudo::kBtfId) continue;
    if (prog.facts.host_btf == nullptr) return diag.refuse(Rule::kSymbolNoTypes);
    const HostSymbol symbol = model::find_host_symbol(prog.facts, w.btf_id);
    if (symbol.kind == HostSymbol::Kind::kNone) return diag.refuse(Rule::kSymbolNoRecord, {w.btf_id});
    if (symbol.kind == HostSymbol::Kind::kOther) return diag.refuse(Rule::kSymbolKind, {w.btf_id});
    if (model::symbol_value(symbol) == 0 && !prog.facts.types_alone) return diag.refuse(Rule::kSymbolNoAddress, {symbol.name});
    if (symbol.kind == HostSymbol::Kind::kVariable && !prog.facts.host_btf->size_of(symbol.type).has_value())
      return diag.refuse(Rule::kSymbolSize, {symbol.name, -static_cast<int>(Errno::kInval)});
  }
  return {};
}

void load_host_symbol(Step& step, RegState& dst, btf::TypeId id) {
  const model::Facts& facts = step.prog.facts;
  const HostSymbol symbol = model::find_host_symbol(facts, id);
  if (model::symbol_value(symbol) == 0) step.out.not_runnable = "a symbol that the host's types name";
  const btf::Type* type = symbol.kind == HostSymbol::Kind::kVariable ? facts.host_btf->type(symbol.type) : nullptr;
  if (type != nullptr && (symbol.percpu || type->kind == btf::Kind::kStruct || type->kind == btf::Kind::kUnion)) {
    set_pointer(dst, RegKind::kHostStruct, symbol.percpu ? std::uint16_t{model::kPercpuPtr} : std::uint16_t{0});
    dst.btf = 0;
    dst.btf_type = symbol.type;
    return;
  }
  set_pointer(dst, RegKind::kMem, model::kReadOnly);
  dst.mem_bytes = type == nullptr ? 0 : facts.host_btf->size_of(symbol.type).value_or(0);
}

}  // namespace ring3::verifier
