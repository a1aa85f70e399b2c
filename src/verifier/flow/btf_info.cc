// func_info and line_info against the program, and what the prototypes of global functions promise.
//
// Function records must name exactly the functions found in the code. A function whose FUNC record has
// global linkage is verified once against its prototype (behaviour.md D.1.1, D.1.2); arguments that a
// prototype cannot express here leave prototype_ok false, and a call of such a function is refused.
#include <algorithm>

#include "btf/records.h"
#include "model/kfunc_args.h"
#include "verifier/flow/flow.h"
#include "verifier/kinds/context_struct.h"

namespace ring3::verifier {
namespace {

using btf::Kind;

bool is_scalar_kind(const btf::Type& t) { return t.kind == Kind::kInt || t.kind == Kind::kEnum || t.kind == Kind::kEnum64; }

struct Tags {
  bool any = false, ctx = false, trusted = false, nullable = false, nonnull = false, arena = false, unknown = false;
};
Tags argument_tags(const btf::Btf& btf, btf::TypeId func, std::uint32_t arg) {
  Tags tags;
  for (const std::string_view tag : btf.decl_tags(func, static_cast<std::int32_t>(arg))) {
    if (!tag.starts_with("arg:")) continue;
    tags.any = true;
    const std::string_view what = tag.substr(4);
    if (what == "ctx") tags.ctx = true;
    else if (what == "trusted") tags.trusted = true;
    else if (what == "nullable") tags.nullable = true;
    else if (what == "nonnull") tags.nonnull = true;
    else if (what == "arena") tags.arena = true;
    else tags.unknown = true;
  }
  return tags;
}

/// Without what tells apart several views of one struct: "task_struct___local" is task_struct.
std::string_view plain_struct_name(std::string_view name) {
  for (std::size_t i = 1; i + 4 <= name.size(); ++i)
    if (name.substr(i, 3) == "___" && name[i - 1] != '_' && name[i + 3] != '_') return name.substr(0, i);
  return name;
}

/// One argument of a global function. False: its shape is not supported.
bool describe_argument(Program& prog, Diag& diag, SubprogInfo& sub, std::uint32_t i, btf::TypeId id, GlobalArg& out) {
  const btf::Btf& btf = *prog.in.btf;
  const btf::TypeId plain = btf.skip_modifiers(id);
  const btf::Type* type = btf.type(plain);
  const Tags tags = argument_tags(btf, sub.func, i);
  sub.has_arg_tags |= tags.any;
  if (type == nullptr || tags.unknown) return false;
  if (is_scalar_kind(*type)) {
    out.kind = GlobalArg::Kind::kScalar;
    return true;
  }
  if (type->kind != Kind::kPtr) return false;
  if (tags.arena) {
    out.kind = GlobalArg::Kind::kArena;
    return true;
  }
  const btf::TypeId pointee_id = btf.skip_modifiers(type->type);
  const btf::Type* pointee = btf.type(pointee_id);
  if (tags.ctx || is_context_struct(prog, btf, type->type, prog.kind->ctx_struct)) {
    out.kind = GlobalArg::Kind::kCtx;
    return true;
  }
  if (pointee != nullptr && pointee->kind == Kind::kStruct && pointee->name == "bpf_dynptr") {
    out.kind = GlobalArg::Kind::kDynptr;
    return true;
  }
  if (tags.trusted || (tags.nullable && !tags.nonnull)) {
    // A host struct, found in the host's BTF by name.
    if (pointee == nullptr || pointee->kind != Kind::kStruct || prog.facts.host_btf == nullptr) return false;
    out.type = prog.facts.host_btf->find(plain_struct_name(pointee->name), Kind::kStruct);
    if (out.type == 0) return false;
    out.kind = GlobalArg::Kind::kHostStruct;
    out.btf = 0;
    out.trusted = tags.trusted;
    out.nullable = tags.nullable;
    return tags.trusted;
  }
  const std::optional<std::uint32_t> bytes = pointee_id == 0 ? std::nullopt : btf.size_of(pointee_id);
  if (!bytes.has_value() || *bytes == 0) {
    diag.print("arg#{} reference type('{}{}') size cannot be determined: -22\n",
               {i, pointee != nullptr && pointee->kind == Kind::kFwd ? "FWD " : "", pointee ? pointee->name : "void"});
    return false;
  }
  out.kind = GlobalArg::Kind::kMem;
  out.mem_bytes = *bytes;
  out.nullable = !tags.nonnull;
  return true;
}

void describe_prototype(Program& prog, Diag& diag, SubprogInfo& sub) {
  const btf::Btf& btf = *prog.in.btf;
  const btf::TypeId proto = btf.type(sub.func)->type;
  const btf::Type* type = btf.type(proto);
  if (type == nullptr || type->kind != Kind::kFuncProto || type->vlen > 5) return;
  const btf::Type* ret = btf.type(btf.skip_modifiers(type->type));
  if (type->type == 0 || ret == nullptr || !is_scalar_kind(*ret)) {
    if (sub.is_global) diag.print("Global function {}() doesn't return scalar. Only those are supported.\n", {sub.name});
    return;
  }
  std::vector<GlobalArg> args;
  std::uint32_t i = 0;
  for (const btf::Param& param : btf.params(proto)) {
    GlobalArg arg;
    if (!describe_argument(prog, diag, sub, i, param.type, arg)) return;
    args.push_back(arg);
    ++i;
  }
  sub.args = std::move(args);
  sub.prototype_ok = true;
}

bool loads_packets(const Program& prog, const SubprogInfo& sub) {
  for (std::uint32_t i = sub.start; i < sub.end; ++i)
    if (prog.insn(i).op == isa::Op::kLdAbs || prog.insn(i).op == isa::Op::kLdInd) return true;
  return false;
}

/// Functions that may end on the way return a number: packet loads end them with 0, tail calls with the target's result.
Result<void> check_abnormal_returns(const Program& prog, Diag& diag) {
  const btf::Btf* btf = prog.in.btf.get();
  for (std::size_t s = 1; s < prog.subprogs.size(); ++s) {
    const SubprogInfo& sub = prog.subprogs[s];
    const bool loads = loads_packets(prog, sub);
    if (!loads && !sub.has_tail_call) continue;
    if (sub.func == 0) return diag.refuse(Rule::kEndsEarlyNoBtf, {loads ? "LD_ABS" : "tail_call"});
    const btf::Type* proto = btf->type(btf->type(sub.func)->type);
    const btf::Type* ret = proto == nullptr || proto->type == 0 ? nullptr : btf->type(btf->skip_modifiers(proto->type));
    if (ret == nullptr || !is_scalar_kind(*ret)) return diag.refuse(Rule::kEndsEarlyNoInt, {loads ? "LD_ABS" : "tail_call"});
  }
  return {};
}

Result<void> check_func_info(Program& prog, Diag& diag) {
  const auto& records = prog.in.func_info;
  if (records.empty()) return {};
  if (prog.in.btf == nullptr) return diag.refuse(Rule::kInfoWithoutBtf);
  if (records.size() != prog.subprogs.size()) return diag.refuse(Rule::kFuncInfoCount);
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i == 0 && records[i].insn_idx != 0) return diag.refuse(Rule::kFuncInfoFirst, {records[i].insn_idx});
    if (i > 0 && records[i].insn_idx <= records[i - 1].insn_idx)
      return diag.refuse(Rule::kFuncInfoOrder, {records[i].insn_idx, records[i - 1].insn_idx});
    if (records[i].insn_idx != prog.subprogs[i].start) return diag.refuse(Rule::kFuncInfoLayout);
    const btf::Type* func = prog.in.btf->type(records[i].type);
    if (func == nullptr || func->kind != Kind::kFunc || func->name.empty())
      return diag.refuse(Rule::kFuncInfoType, {records[i].type});
    SubprogInfo& sub = prog.subprogs[i];
    sub.func = records[i].type;
    sub.name = func->name;
    sub.is_global = prog.in.btf->linkage(sub.func) == btf::Linkage::kGlobal;
    describe_prototype(prog, diag, sub);
  }
  return {};
}

Result<void> check_line_info(Program& prog, Diag& diag) {
  prog.line_of.assign(prog.size(), UINT32_MAX);
  const auto& lines = prog.in.line_info;
  if (lines.empty()) return {};
  std::size_t sub = 0;
  std::int64_t previous = -1;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::uint32_t at = lines[i].insn_idx;
    if (std::int64_t{at} <= previous || at >= prog.size() || (i == 0 && at != 0))
      return diag.refuse(Rule::kLineInfoOffset, {i, at, previous < 0 ? 0 : previous, prog.size()});
    if (prog.insn(at).op == isa::Op::kLdImm64Hi) return diag.refuse(Rule::kLineInfoInsn, {i});
    if (sub < prog.subprogs.size()) {
      if (at == prog.subprogs[sub].start) ++sub;
      else if (at > prog.subprogs[sub].start) return diag.refuse(Rule::kLineInfoMissing, {sub});
    }
    previous = at;
  }
  if (sub != prog.subprogs.size()) return diag.refuse(Rule::kLineInfoMissing, {sub});
  std::uint32_t line = 0;
  for (std::uint32_t i = 0; i < prog.size(); ++i) {
    while (line + 1 < lines.size() && lines[line + 1].insn_idx <= i) ++line;
    prog.line_of[i] = line;
  }
  return {};
}

}  // namespace

Result<void> check_btf_info(Program& prog, Diag& diag) {
  RING3_TRY(check_func_info(prog, diag));
  RING3_TRY(check_abnormal_returns(prog, diag));
  return check_line_info(prog, diag);
}

}  // namespace ring3::verifier
