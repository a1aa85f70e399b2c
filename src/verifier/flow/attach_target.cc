// What a typed program is attached to: a member of a struct_ops type, or a function of the host (those of other programs are in
// program_target.cc).
//
// Its prototype types the context (kinds/target_args.cc), and its name decides what the program may do there: sleep,
// replace the result, call helpers of a target list. Whether the host offers the place at all is the loader's to say.
#include "model/iter_targets.h"
#include "model/target_lists.h"
#include "uapi/bpf.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

using btf::Kind;
using model::TargetList;

constexpr std::string_view kTracepointPrefix = "btf_trace_";
constexpr std::string_view kHookPrefix = "bpf_lsm_";
constexpr std::string_view kIterPrefix = "bpf_iter_";
constexpr std::uint32_t kMaxArgs = 12;

void describe_member(Program& prog) {
  const model::AttachTarget& t = prog.in.target;
  const model::StructOpsMember& member = t.ops->members[t.member];
  prog.target = {.btf = t.ops->btf.get(), .proto = member.proto, .name = member.name, .nullable = member.nullable_args,
                 .trusted = true};
}

/// Arguments named NAME__nullable of the function that a tracepoint's callers reach.
std::uint32_t nullable_tracepoint_args(const btf::Btf& btf, std::string_view tracepoint) {
  const btf::TypeId stub = btf.find("__bpf_trace_" + std::string(tracepoint), Kind::kFunc);
  if (stub == 0) return 0;
  std::uint32_t mask = 0, i = 0;
  for (const btf::Param& p : btf.params(btf.type(stub)->type)) {
    if (i > 0 && i <= kMaxArgs && model::has_suffix(p.name, "__nullable")) mask |= 1u << (i - 1);
    ++i;
  }
  return mask;
}

/// Raw tracepoints are typedefs of a pointer to a function whose first argument is not for programs.
Result<void> describe_tracepoint(Program& prog, Diag& diag, const btf::Btf& btf, const btf::Type& type) {
  const btf::TypeId id = prog.in.target.type;
  if (type.kind != Kind::kTypedef) return diag.refuse(Rule::kTargetNotTypedef, {id});
  if (!type.name.starts_with(kTracepointPrefix)) return diag.refuse(Rule::kTargetWrongName, {id, type.name});
  const btf::Type* pointer = btf.type(type.type);
  const btf::Type* proto = pointer == nullptr || pointer->kind != Kind::kPtr ? nullptr : btf.type(pointer->type);
  if (proto == nullptr || proto->kind != Kind::kFuncProto) return diag.refuse(Rule::kTargetNoPrototype, {id});
  const std::string_view name = type.name.substr(kTracepointPrefix.size());
  prog.target = {.btf = &btf, .proto = pointer->type, .name = name, .skip = 1,
                 .nullable = nullable_tracepoint_args(btf, name), .trusted = true};
  return {};
}

Result<void> check_hook(const Program& prog, Diag& diag, std::string_view name) {
  const btf::TypeId id = prog.in.target.type;
  if (!prog.in.gpl_compatible) return diag.refuse(Rule::kHookGpl);
  if (model::is_on(TargetList::kDisabledHooks, name)) return diag.refuse(Rule::kHookDisabled, {id, name});
  if (!name.starts_with(kHookPrefix)) return diag.refuse(Rule::kTargetWrongName, {id, name});
  if (prog.sleepable && !model::is_on(TargetList::kSleepableHooks, name)) return diag.refuse(Rule::kTargetNotSleepable, {name});
  return {};
}

Result<void> check_probe(const Program& prog, Diag& diag, std::string_view name) {
  const bool modifies = prog.in.attach_type == uapi::BPF_MODIFY_RETURN;
  if (prog.in.attach_type == uapi::BPF_TRACE_ITER) {
    if (!name.starts_with(kIterPrefix)) return diag.refuse(Rule::kTargetWrongName, {prog.in.target.type, name});
    return {};
  }
  if (model::is_on(TargetList::kUntraceable, name)) return diag.refuse(Rule::kTargetUntraceable, {name});
  if (model::is_on(TargetList::kNeverReturning, name) && prog.in.attach_type != uapi::BPF_TRACE_FENTRY)
    return diag.refuse(Rule::kTargetUntraceable, {name});
  if (prog.sleepable && !model::result_is_modifiable(name)) return diag.refuse(Rule::kTargetNotSleepable, {name});
  if (modifies && !model::result_is_modifiable(name)) return diag.refuse(Rule::kTargetNotModifiable, {name});
  return {};
}

/// Every parameter and the result fit the 8-byte slots of a context.
bool fits_context(const btf::Btf& btf, btf::TypeId proto) {
  const std::vector<btf::Param> params = btf.params(proto);
  if (params.size() > kMaxArgs) return false;
  for (const btf::Param& p : params) {
    const btf::Type* type = btf.type(btf.skip_modifiers(p.type));
    if (p.type == 0 || type == nullptr) return false;  // variadic
    const bool plain = type->kind == Kind::kInt || type->kind == Kind::kEnum || type->kind == Kind::kEnum64 ||
                       type->kind == Kind::kPtr || type->kind == Kind::kStruct;
    if (!plain || btf.size_of(p.type).value_or(17) > 16) return false;
  }
  return true;
}

}  // namespace

Result<void> check_attach_target(Program& prog, Diag& diag) {
  const model::AttachTarget& target = prog.in.target;
  if (target.kind == model::AttachTarget::Kind::kStructOpsMember && target.ops != nullptr) {
    describe_member(prog);
    return {};
  }
  if (target.kind != model::AttachTarget::Kind::kFunction || target.btf == nullptr) return {};
  const btf::Btf& btf = *target.btf;
  const btf::Type* type = btf.type(target.type);
  if (type == nullptr) return diag.refuse(Rule::kTargetInvalid, {target.type});
  if (type->name.empty()) return diag.refuse(Rule::kTargetNoName, {target.type});
  const bool hook = prog.in.prog_type == uapi::BPF_PROG_TYPE_LSM;
  if (!hook && prog.in.attach_type == uapi::BPF_TRACE_RAW_TP) return describe_tracepoint(prog, diag, btf, *type);
  if (type->kind != Kind::kFunc) return diag.refuse(Rule::kTargetNotFunction, {target.type});
  const btf::Type* proto = btf.type(type->type);
  if (proto == nullptr || proto->kind != Kind::kFuncProto) return diag.refuse(Rule::kTargetNoPrototype, {target.type});
  RING3_TRY(hook ? check_hook(prog, diag, type->name) : check_probe(prog, diag, type->name));
  if (!fits_context(btf, type->type)) return diag.refuse(Rule::kTargetShape, {type->name});
  const bool trusted = hook ? !model::is_on(TargetList::kUntrustedHooks, type->name)
                            : prog.in.attach_type == uapi::BPF_TRACE_ITER;
  const bool result = hook || prog.in.attach_type == uapi::BPF_TRACE_FEXIT || prog.in.attach_type == uapi::BPF_MODIFY_RETURN;
  prog.target = {.btf = &btf, .proto = type->type, .name = type->name, .trusted = trusted, .shows_result = result};
  // An iterator's element is null when the walk ends; its meta data never is.
  if (prog.in.attach_type == uapi::BPF_TRACE_ITER && !hook) {
    const model::IterArgs args = model::iter_args(type->name);
    prog.target.nullable = args.nullable;
    prog.target.read_buffers = args.read_buffers;
    prog.target.buffers = args.buffers;
  }
  return {};
}

}  // namespace ring3::verifier
