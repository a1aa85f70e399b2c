// Exceptions: bpf_throw() ends the program from any depth of calls. What main returns then is the thrown number, or what
// the exception callback makes of it: a global function that main names by a tag.
//
// Soundness: a throw unwinds frames without running their code, so nothing may be owned or held where one can happen: at the
// throw itself, and at every call of a global function that may throw. (A static function is walked with what its callers
// own.) Callbacks never throw: what runs them has work left to do.
#include <algorithm>

#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

constexpr std::string_view kTag = "exception_callback:";

/// Name in main's tag, "" none.
Result<std::string_view> tagged_name(const Program& prog, Diag& diag, btf::TypeId main) {
  std::string_view name;
  for (const std::string_view tag : prog.in.btf->decl_tags(main, -1)) {
    if (!tag.starts_with(kTag)) continue;
    if (!name.empty()) return diag.refuse(Rule::kExceptionTags);
    name = tag.substr(kTag.size());
    if (name.empty()) return diag.refuse(Rule::kExceptionNoFunction, {name});
  }
  return name;
}

bool throws_at(Program& prog, std::uint32_t idx) {
  const isa::Insn& insn = prog.insn(idx);
  std::uint32_t index = 0;
  return insn.op == isa::Op::kCallKfunc && prog.find_kfunc(insn, index) != nullptr &&
         prog.special_of(index) == model::KfuncSpecial::kThrow;
}

}  // namespace

Result<std::uint32_t> exception_callback(const Program& prog, Diag& diag) {
  const auto& records = prog.in.func_info;
  if (records.empty() || prog.in.btf == nullptr) return UINT32_MAX;
  const btf::Btf& btf = *prog.in.btf;
  const btf::Type* main = btf.type(records[0].type);
  if (main == nullptr || main->kind != btf::Kind::kFunc) return UINT32_MAX;  // refused when records are checked
  const std::string_view name = RING3_TRY(tagged_name(prog, diag, records[0].type));
  if (name.empty()) return UINT32_MAX;
  const btf::TypeId func = btf.find(name, btf::Kind::kFunc);
  if (func == 0) return diag.refuse(Rule::kExceptionNoFunction, {name});
  if (btf.linkage(func) != btf::Linkage::kGlobal) return diag.refuse(Rule::kExceptionNotGlobal, {name});
  for (const FuncInfo& record : records)
    if (record.type == func && record.insn_idx > 0 && record.insn_idx < prog.size()) return record.insn_idx;
  return diag.refuse(Rule::kExceptionNoFunction, {name});
}

void find_throws(Program& prog) {
  for (std::uint32_t i = 0; i < prog.size(); ++i)
    if (throws_at(prog, i)) prog.subprogs[prog.subprog_at(i)].may_throw = true;
  // Callers throw what they do not catch.
  for (bool again = true; again;) {
    again = false;
    for (std::uint32_t i = 0; i < prog.size(); ++i) {
      if (prog.insn(i).op != isa::Op::kCallSubprog) continue;
      const std::uint32_t callee = named_subprog(prog, i);
      SubprogInfo& caller = prog.subprogs[prog.subprog_at(i)];
      if (callee == UINT32_MAX || !prog.subprogs[callee].may_throw || caller.may_throw) continue;
      caller.may_throw = again = true;
    }
  }
}

Result<void> check_throws(Program& prog, Diag& diag) {
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    const std::uint32_t named = named_subprog(prog, i);
    if (named != UINT32_MAX && prog.subprogs[named].is_exception_callback) return diag.refuse(Rule::kExceptionCalled, {i});
  }
  // Everything a callback can reach.
  std::vector<std::uint8_t> in_callback(prog.subprogs.size(), 0);
  for (std::size_t s = 0; s < prog.subprogs.size(); ++s) in_callback[s] = prog.subprogs[s].is_callback;
  for (bool again = true; again;) {
    again = false;
    for (std::uint32_t i = 0; i < prog.size(); ++i) {
      const std::uint32_t callee = named_subprog(prog, i);
      if (callee == UINT32_MAX || in_callback[callee] != 0 || in_callback[prog.subprog_at(i)] == 0) continue;
      in_callback[callee] = again = true;
    }
  }
  for (std::uint32_t i = 0; i < prog.size(); ++i)
    if (throws_at(prog, i) && in_callback[prog.subprog_at(i)] != 0)
      return diag.refuse(Rule::kThrowInCallback, {i, prog.subprog_at(i)});
  return {};
}

}  // namespace ring3::verifier
