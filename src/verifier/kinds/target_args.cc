// Contexts that hold the arguments of what a program is attached to, 8 bytes each, typed by its prototype; behind them its
// result, for kinds that run after the function.
//
// Soundness: an argument that points to a struct is trusted only where the caller vouches for it (struct_ops members, raw
// tracepoints, LSM hooks but a few, iterators); elsewhere it is an address like any other, read with faulting loads. Arguments of
// another program's function are numbers, but for its context: that is what stands behind it in a kernel.
#include "model/prog_kind.h"
#include "uapi/bpf.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/context_struct.h"
#include "verifier/kinds/owned_args.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using btf::Kind;

Errno refuse_ctx(Step& step, const Access& access, std::int32_t off) {
  return step.diag.refuse(Rule::kInvalidCtxAccess, {off, access.size});
}

struct Slot {
  bool result = false;
  std::uint32_t arg = 0;      // as programs count
  btf::TypeId type = 0;
};

/// What stands in an 8-byte slot; arguments wider than 8 bytes take several.
std::optional<Slot> find_slot(const TargetProto& target, std::uint32_t slot, bool* beyond_result) {
  std::uint32_t at = 0, i = 0;
  if (target.proto == 0) {
    constexpr std::uint32_t kRegisters = 5;
    *beyond_result = slot > kRegisters || (slot == kRegisters && !target.shows_result);
    if (*beyond_result) return std::nullopt;
    return Slot{.result = slot == kRegisters, .arg = slot};
  }
  for (const btf::Param& p : target.btf->params(target.proto)) {
    if (i++ < target.skip) continue;
    at += (target.btf->size_of(p.type).value_or(8) + 7) / 8;
    if (slot < at) return Slot{false, i - 1 - target.skip, p.type};
  }
  *beyond_result = slot > at || !target.shows_result;
  if (*beyond_result) return std::nullopt;
  return Slot{true, i - target.skip, target.btf->type(target.proto)->type};
}

struct PointerTags {
  bool user = false, percpu = false;
};
PointerTags tags_of(const btf::Btf& btf, const btf::Type& pointer) {
  PointerTags tags;
  for (const btf::Type* t = btf.type(pointer.type); t != nullptr && t->kind == Kind::kTypeTag; t = btf.type(t->type)) {
    tags.user |= t->name == "user";
    tags.percpu |= t->name == "percpu";
  }
  return tags;
}

/// What the host knows an argument to point to.
btf::TypeId known_struct(const Program& prog, btf::TypeId declared) {
  if (prog.in.target.ops == nullptr) return declared;
  for (const model::KnownArgument& known : prog.in.target.ops->known_args)
    if (known.declared == declared) return known.is;
  return declared;
}

/// A pointer argument of another program's function.
Result<void> load_program_pointer(Step& step, const Access& access, std::int32_t off, const btf::Type& pointer) {
  const TargetProto& target = step.prog.target;
  const btf::TypeId pointee_id = target.btf->skip_modifiers(pointer.type);
  const btf::Type* pointee = target.btf->type(pointee_id);
  if (pointee_id == 0 || (pointee != nullptr && pointee->kind == Kind::kInt)) {
    load_unknown(step, access);
    return {};
  }
  const model::ProgKindRow* kind = model::find_prog_kind(target.program->acts_as);
  if (kind == nullptr || !is_context_struct(step.prog, *target.btf, pointer.type, kind->ctx_struct)) return refuse_ctx(step, access, off);
  const btf::TypeId behind = behind_context(step.prog, *kind);
  if (behind == 0) {  // this host's contexts have nothing of a kernel's behind them
    load_unknown(step, access);
    return {};
  }
  if (step.idx + 1 >= step.prog.size() || (step.prog.live_in[step.idx + 1] >> access.value & 1) != 0)
    step.out.not_runnable = "the kernel's struct behind a context";
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  set_pointer(dst, RegKind::kHostStruct);
  dst.btf = 0;
  dst.btf_type = behind;
  return {};
}

Result<void> load_pointer(Step& step, const Access& access, std::int32_t off, const Slot& slot, const btf::Type& pointer) {
  const TargetProto& target = step.prog.target;
  const btf::TypeId pointee_id = target.btf->skip_modifiers(pointer.type);
  const btf::Type* pointee = target.btf->type(pointee_id);
  if (access.size != 8) {
    step.diag.explain(Rule::kCtxArgSize, {target.name, access.size});
    return refuse_ctx(step, access, off);
  }
  if (target.program != nullptr) return load_program_pointer(step, access, off, pointer);
  const std::uint32_t bit = !slot.result && slot.arg < 32 ? 1u << slot.arg : 0;
  if (pointee_id == 0 && ((target.read_buffers | target.buffers) & bit) != 0) {
    RegState& dst = step.reg(static_cast<unsigned>(access.value));
    const unsigned read_only = (target.read_buffers & bit) != 0 ? unsigned{model::kReadOnly} : 0u;
    set_pointer(dst, RegKind::kBuf, static_cast<std::uint16_t>(model::kMaybeNull | read_only));
    dst.id = step.search.new_id();
    return {};
  }
  // Pointers to anything but a struct are numbers to the program.
  if (pointee_id == 0 || pointee == nullptr || pointee->kind == Kind::kInt || pointee->kind == Kind::kPtr ||
      pointee->kind == Kind::kEnum || pointee->kind == Kind::kFuncProto || pointee->kind == Kind::kFloat ||
      pointee->kind == Kind::kArray) {
    load_unknown(step, access);
    return {};
  }
  if (pointee->kind != Kind::kStruct && pointee->kind != Kind::kUnion) {
    step.diag.explain(Rule::kCtxArgNotStruct, {target.name, slot.arg, pointee->name});
    return refuse_ctx(step, access, off);
  }
  const bool nullable = !slot.result && slot.arg < 32 && (target.nullable >> slot.arg & 1) != 0;
  const std::uint32_t owned = slot.result ? 0 : owned_argument(step.prog, slot.arg);
  if (owned != 0 && !step.path.has_ref(owned)) return step.diag.refuse(Rule::kOwnedArgReleased, {off});
  const PointerTags tags = tags_of(*target.btf, pointer);
  unsigned flags = nullable ? unsigned{model::kMaybeNull} : 0u;
  if (target.trusted && !slot.result) flags |= model::kTrusted;
  if (tags.user) flags |= model::kUserMem;
  if (tags.percpu) flags |= model::kPercpuPtr;
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  set_pointer(dst, RegKind::kHostStruct, static_cast<std::uint16_t>(flags));
  dst.btf_type = known_struct(step.prog, pointee_id);
  dst.btf = step.prog.btf_index(target.btf);
  dst.ref_obj_id = owned;
  if (nullable) dst.id = step.search.new_id();
  return {};
}

/// The result of an LSM hook is one of those the hook may have.
void load_number(Step& step, const Access& access, const Slot& slot) {
  load_unknown(step, access);
  if (!slot.result || step.prog.type != uapi::BPF_PROG_TYPE_LSM || slot.type == 0) return;
  const model::ReturnRange range = model::lsm_return_range(step.prog.attach_type, step.prog.target.name, false);
  if (range.any) return;
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  set_scalar(dst, Scalar64::of_signed(range.min, range.max));
}

Result<void> check_result_type(Step& step, const Access& access, std::int32_t off, const Slot& slot) {
  const TargetProto& target = step.prog.target;
  const btf::Type* type = slot.type == 0 ? nullptr : target.btf->type(target.btf->skip_modifiers(slot.type));
  const bool small = type != nullptr && target.btf->size_of(slot.type).value_or(9) <= 8;
  const bool number = small && (type->kind == Kind::kInt || type->kind == Kind::kEnum || type->kind == Kind::kEnum64);
  const bool modifies = step.prog.attach_type == uapi::BPF_MODIFY_RETURN && step.prog.type != uapi::BPF_PROG_TYPE_LSM;
  if (number || (small && !modifies && (type->kind == Kind::kPtr || type->kind == Kind::kStruct))) return {};
  if (modifies) step.diag.explain(Rule::kCtxResultType, {type == nullptr ? "void" : type->name});
  else step.diag.explain(Rule::kCtxArgPointerOnly, {target.name, slot.arg, "", "void"});
  return refuse_ctx(step, access, off);
}

}  // namespace

Result<void> access_target_args(Step& step, const Access& access, std::int32_t off) {
  const TargetProto& target = step.prog.target;
  if (access.write || off < 0 || off % access.size != 0 || target.btf == nullptr) return refuse_ctx(step, access, off);
  if (off % 8 != 0) {
    step.diag.explain(Rule::kCtxArgOffset, {target.name, off});
    return refuse_ctx(step, access, off);
  }
  const std::uint32_t number = static_cast<std::uint32_t>(off) / 8;
  bool beyond = false;
  const std::optional<Slot> slot = find_slot(target, number, &beyond);
  if (!slot.has_value()) {
    step.diag.explain(Rule::kCtxArgCount, {target.name, number + 1});
    return refuse_ctx(step, access, off);
  }
  if (slot->result && target.proto != 0) RING3_TRY(check_result_type(step, access, off, *slot));
  if (access.value == kNoReg) return {};
  const btf::Type* type = target.btf->type(target.btf->skip_modifiers(slot->type));
  if (type != nullptr && type->kind == Kind::kPtr) {
    if (access.sign_extend) return refuse_ctx(step, access, off);
    return load_pointer(step, access, off, *slot, *type);
  }
  load_number(step, access, *slot);
  return {};
}

}  // namespace ring3::verifier
