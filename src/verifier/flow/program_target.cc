// Functions of other programs as targets: replaced (freplace) or traced (fentry, fexit).
//
// Soundness: a replacement runs where the target program calls the original, and the target program was verified by the
// original's prototype alone (global functions only). So a replacement is judged as of the target's type and attach type, is
// entered with what the original's callers were made to promise and nothing better (check_promises: Linux compares names of structs,
// not what a prototype says of them), returns a number, and does not move the packet unless the original may. Where the original
// may be entered outside of a read section it is walked once more without one. What is checked where the target is run or attached,
// by how far it reaches, bounds the replacement too. A context that is the arguments of a host function is not readable at
// all: its types belong to the target's own target.
//
// A traced function's arguments are numbers to the tracer; its own prototype tells more only if every entry was seen to keep it.
#include <algorithm>

#include "btf/records.h"
#include "uapi/bpf.h"
#include "verifier/flow/flow.h"
#include "verifier/other_target.h"

namespace ring3::verifier {
namespace {

using btf::Kind;
using model::ProgramFacts;
using model::ProgramFunction;

std::string_view kind_text(const btf::Type* type) {
  return type == nullptr || type->kind == Kind::kUnkn ? std::string_view("UNKNOWN") : std::string_view(btf::kind_row(type->kind).text);
}

bool is_number(const btf::Type& type) {
  return type.kind == Kind::kInt || type.kind == Kind::kEnum || type.kind == Kind::kEnum64;
}

bool same_shape(const btf::Type* a, const btf::Type* b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a->kind == b->kind && a->vlen == b->vlen && a->kind_flag == b->kind_flag;
}

/// A function and the BTF its types are in.
struct Signature {
  const btf::Btf& btf;
  std::string_view name;
  btf::TypeId proto;

  const btf::Type* plain(btf::TypeId id) const { return btf.type(btf.skip_modifiers(id)); }
};

Result<void> match_argument(Diag& diag, std::uint32_t i, const Signature& mine, btf::TypeId my_arg, const Signature& its,
                            btf::TypeId its_arg) {
  const btf::Type* a = mine.plain(my_arg);
  const btf::Type* b = its.plain(its_arg);
  if (!same_shape(a, b)) return diag.refuse(Rule::kReplaceArgKind, {i, mine.name, kind_text(a), its.name, kind_text(b)});
  if (a == nullptr) return diag.refuse(Rule::kReplaceArgType, {i, mine.name});
  if (a->size != b->size) return diag.refuse(Rule::kReplaceArgSize, {i, mine.name, a->size, its.name, b->size});
  if (is_number(*a)) return {};
  if (a->kind != Kind::kPtr) return diag.refuse(Rule::kReplaceArgType, {i, mine.name});
  const btf::Type* my_pointee = mine.plain(a->type);
  const btf::Type* its_pointee = its.plain(b->type);
  const auto is_struct = [](const btf::Type* t) { return t != nullptr && (t->kind == Kind::kStruct || t->kind == Kind::kUnion); };
  if (!is_struct(my_pointee)) return diag.refuse(Rule::kReplaceArgPointer, {i, mine.name});
  if (!is_struct(its_pointee)) return diag.refuse(Rule::kReplaceArgPointer, {i, its.name});
  if (my_pointee->name != its_pointee->name)
    return diag.refuse(Rule::kReplaceArgStruct, {i, mine.name, my_pointee->name, its.name, its_pointee->name});
  return {};
}

/// behaviour.md D.2.3.
Result<void> match_prototypes(Diag& diag, const Signature& mine, const Signature& its) {
  const std::vector<btf::Param> my_args = mine.btf.params(mine.proto), its_args = its.btf.params(its.proto);
  if (my_args.size() != its_args.size())
    return diag.refuse(Rule::kReplaceArgCount, {mine.name, my_args.size(), its.name, its_args.size()});
  const auto returned = [](const Signature& s) {
    const btf::TypeId id = s.btf.skip_modifiers(s.btf.type(s.proto)->type);
    return id == 0 ? nullptr : s.btf.type(id);
  };
  const btf::Type* my_result = returned(mine);
  const btf::Type* its_result = returned(its);
  if (!same_shape(my_result, its_result))
    return diag.refuse(Rule::kReplaceReturn, {kind_text(my_result), mine.name, kind_text(its_result), its.name});
  for (std::uint32_t i = 0; i < my_args.size(); ++i)
    RING3_TRY(match_argument(diag, i, mine, my_args[i].type, its, its_args[i].type));
  return {};
}

/// Everything a function relies on in an argument is promised by who enters the other one.
bool is_promised(const GlobalArg& relied, const GlobalArg& promised) {
  if (relied.kind != promised.kind) return false;
  if (!relied.nullable && promised.nullable) return false;
  switch (relied.kind) {
    case GlobalArg::Kind::kScalar: case GlobalArg::Kind::kCtx: case GlobalArg::Kind::kDynptr: case GlobalArg::Kind::kArena: return true;
    case GlobalArg::Kind::kMem: return relied.mem_bytes <= promised.mem_bytes;
    case GlobalArg::Kind::kHostStruct:
      return relied.btf == promised.btf && relied.type == promised.type && (promised.trusted || !relied.trusted);
  }
  return false;
}

/// same_host: both were verified with the same types of the host.
Result<void> check_promises(Diag& diag, std::string_view my_name, const std::vector<GlobalArg>& relied, std::string_view its_name,
                            const std::vector<GlobalArg>& promised, bool same_host) {
  if (relied.size() != promised.size()) return diag.refuse(Rule::kReplaceArgPromise, {0, my_name, its_name});
  for (std::size_t i = 0; i < relied.size(); ++i) {
    const bool of_host = relied[i].kind == GlobalArg::Kind::kHostStruct;
    if (!is_promised(relied[i], promised[i]) || (of_host && !same_host))
      return diag.refuse(Rule::kReplaceArgPromise, {i, my_name, its_name});
  }
  return {};
}

Result<void> check_replacement(const Program& prog, Diag& diag, const btf::Type& func, const ProgramFunction& original) {
  const ProgramFacts& target = *prog.in.target.program;
  if (func.kind != Kind::kFunc) return diag.refuse(Rule::kTargetNotFunction, {prog.in.target.type});
  const SubprogInfo& main = prog.subprogs[0];
  if (main.func == 0) return diag.refuse(Rule::kReplaceNoBtf);
  if (!main.is_global) return diag.refuse(Rule::kReplaceNotGlobal, {main.name});
  if (!original.is_global) return diag.refuse(Rule::kReplaceNotGlobal, {func.name});
  const Signature mine{*prog.in.btf, main.name, prog.in.btf->type(main.func)->type};
  RING3_TRY(match_prototypes(diag, mine, {*target.btf, func.name, func.type}));
  if (!main.prototype_ok) return diag.refuse(Rule::kReplacePrototype, {main.name});
  return check_promises(diag, main.name, main.args, func.name, original.args, target.host_btf == prog.facts.host_btf);
}

/// How replacements and tracers nest.
Result<void> check_nesting(bool replaces, const ProgramFacts& target, Diag& diag) {
  if (!replaces) return target.traces_tracing ? diag.refuse(Rule::kTargetNested) : Result<void>{};
  if (target.type == uapi::BPF_PROG_TYPE_EXT) return diag.refuse(Rule::kTargetReplacement);
  const bool tracer = target.attach_type == uapi::BPF_TRACE_FENTRY || target.attach_type == uapi::BPF_TRACE_FEXIT;
  if (target.type == uapi::BPF_PROG_TYPE_TRACING && tracer) return diag.refuse(Rule::kTargetTracer);
  return {};
}

Result<void> check_tracer(Program& prog, Diag& diag, const btf::Type& func, const ProgramFunction& traced) {
  const std::uint32_t at = prog.attach_type;
  if (at != uapi::BPF_TRACE_FENTRY && at != uapi::BPF_TRACE_FEXIT && at != uapi::BPF_MODIFY_RETURN)
    return diag.refuse(Rule::kTargetOnlyTraced);
  if (func.kind != Kind::kFunc) return diag.refuse(Rule::kTargetNotFunction, {prog.in.target.type});
  if (prog.sleepable) return diag.refuse(Rule::kTargetNotSleepable, {func.name});
  if (at == uapi::BPF_MODIFY_RETURN) return diag.refuse(Rule::kTargetModifies);
  const ProgramFacts& target = *prog.in.target.program;
  prog.target = {.btf = target.btf.get(), .proto = traced.is_typed ? func.type : 0, .program = &target, .name = func.name,
                 .shows_result = at == uapi::BPF_TRACE_FEXIT};
  return {};
}

const ProgramFunction* find_function(const ProgramFacts& target, btf::TypeId func) {
  const auto found = std::find_if(target.functions.begin(), target.functions.end(), [&](const ProgramFunction& f) { return f.func == func; });
  return found == target.functions.end() ? nullptr : &*found;
}

}  // namespace

namespace {

/// The function as a place for a program; changes_packet: of the program.
Result<const ProgramFunction*> find_place(const ProgramFacts& target, btf::TypeId id, bool replaces, bool changes_packet, Diag& diag) {
  if (id == 0) return diag.refuse(Rule::kTargetNoId);
  if (target.btf == nullptr) return diag.refuse(Rule::kTargetNoBtf);
  const btf::Type* func = target.btf->type(id);
  if (func == nullptr) return diag.refuse(Rule::kTargetInvalid, {id});
  if (func->name.empty()) return diag.refuse(Rule::kTargetNoName, {id});
  const ProgramFunction* function = find_function(target, id);
  if (function == nullptr) return diag.refuse(Rule::kTargetNoSubprog, {func->name});
  if (function->is_exception_callback) return diag.refuse(Rule::kTargetExceptionCallback, {replaces ? "Extension" : "FENTRY/FEXIT"});
  if (replaces && !function->is_typed) return diag.refuse(Rule::kTargetStatic);
  if (replaces && changes_packet && !function->changes_packet) return diag.refuse(Rule::kTargetPacket);
  RING3_TRY(check_nesting(replaces, target, diag));
  return function;
}

Result<void> check_reach(const ProgramFacts& target, std::uint32_t ctx, std::uint32_t rdonly, std::uint32_t rdwr, Diag& diag) {
  const auto within = [&](std::uint32_t mine, std::uint32_t its, std::string_view what) {
    return mine <= its ? Result<void>{} : diag.refuse(Rule::kReplaceReach, {mine, what, its});
  };
  RING3_TRY(within(ctx, target.max_ctx_offset, "its context"));
  RING3_TRY(within(rdonly, target.max_rdonly_access, "a buffer to read"));
  return within(rdwr, target.max_rdwr_access, "a buffer to write");
}

}  // namespace

Result<void> check_program_target(Program& prog, Diag& diag) {
  const model::AttachTarget& t = prog.in.target;
  if (t.kind != model::AttachTarget::Kind::kProgramFunction || t.program == nullptr)
    return prog.in.prog_type == uapi::BPF_PROG_TYPE_EXT ? diag.refuse(Rule::kTargetHostFunction) : Result<void>{};
  const ProgramFunction& function = *RING3_TRY(find_place(*t.program, t.type, prog.replaces, prog.subprogs[0].changes_packet, diag));
  const btf::Type& func = *t.program->btf->type(t.type);
  return prog.replaces ? check_replacement(prog, diag, func, function) : check_tracer(prog, diag, func, function);
}

Result<void> check_other_target(const ProgramFacts& replacement, const ProgramFacts& target, btf::TypeId id, LogSink& log) {
  Diag diag(log);
  const ProgramFunction& mine = replacement.functions[0];
  const ProgramFunction& its = *RING3_TRY(find_place(target, id, true, mine.changes_packet, diag));
  const btf::Type& func = *target.btf->type(id);
  if (func.kind != Kind::kFunc) return diag.refuse(Rule::kTargetNotFunction, {id});
  if (!its.is_global) return diag.refuse(Rule::kReplaceNotGlobal, {func.name});
  const btf::Type& my_func = *replacement.btf->type(mine.func);
  RING3_TRY(match_prototypes(diag, {*replacement.btf, my_func.name, my_func.type}, {*target.btf, func.name, func.type}));
  RING3_TRY(check_promises(diag, my_func.name, mine.args, func.name, its.args, replacement.host_btf == target.host_btf));
  RING3_TRY(check_reach(target, replacement.max_ctx_offset, replacement.max_rdonly_access, replacement.max_rdwr_access, diag));
  if (replacement.acts_as != target.type || replacement.acts_at != target.attach_type) {
    diag.write("the replacement was verified for a program of another type\n");
    return Errno::kInval;
  }
  if (its.entered_outside_sections && !mine.entered_outside_sections) {
    diag.write("the function is entered outside of read sections, and the replacement was verified inside of one\n");
    return Errno::kInval;
  }
  return {};
}

bool replaced_outside_sections(const Program& prog) {
  if (!prog.replaces) return false;
  const ProgramFunction* original = find_function(*prog.in.target.program, prog.in.target.type);
  return original != nullptr && original->entered_outside_sections;
}

Result<void> check_replacement_reach(const Program& prog, const VerifiedProgram& verified, Diag& diag) {
  if (!prog.replaces) return {};
  return check_reach(*prog.in.target.program, verified.max_ctx_offset, verified.max_rdonly_access, verified.max_rdwr_access, diag);
}

namespace {

/// Whoever enters it keeps its prototype. Main's callers pass their context and nothing else; what is called by its
/// address is entered with what a helper passes.
bool is_typed(const Program& prog, const SubprogInfo& sub) {
  if (sub.func == 0 || !sub.prototype_ok || sub.is_callback) return false;
  const bool main = &sub == prog.subprogs.data();
  if (main && prog.replaces) return true;
  if (main) {
    const bool arguments = prog.kind->ctx_rule == model::CtxRule::kBtfArgs;
    return !arguments && sub.args.size() == 1 && sub.args[0].kind == GlobalArg::Kind::kCtx;
  }
  if (sub.is_global) return true;
  const auto plain = [](const GlobalArg& a) { return a.kind == GlobalArg::Kind::kScalar || a.kind == GlobalArg::Kind::kCtx; };
  return !sub.has_arg_tags && !sub.entered_untyped && std::all_of(sub.args.begin(), sub.args.end(), plain);
}

}  // namespace

model::ProgramFunction describe_function(const Program& prog, const SubprogInfo& sub) {
  const bool main = &sub == prog.subprogs.data();
  model::ProgramFunction function;
  function.func = sub.func;
  function.is_global = sub.is_global;
  function.is_typed = is_typed(prog, sub);
  function.is_exception_callback = sub.is_exception_callback;
  function.changes_packet = sub.changes_packet;
  function.entered_outside_sections = (sub.called & kMaySleep) != 0 || (main && (prog.sleepable || replaced_outside_sections(prog)));
  if (function.is_typed) function.args = sub.args;
  return function;
}

}  // namespace ring3::verifier
