// Calls of host functions. What the prototype demands is described once by model/kfunc_args; here it is held
// against the registers.
//
// Trust (behaviour.md C.3.6, C.3.7): with kTrustedArgs every struct pointer must be trusted or own a reference,
// with kRcu an RCU pointer will do. No function takes a pointer that may be null unless it says __nullable.
// Without either flag a pointer walked out of a struct is accepted, as Linux does: such a function promises to
// cope with any address of the type. Pointers marked untrusted are never accepted.
#include <algorithm>
#include <span>

#include "model/kernel_kfuncs.h"
#include "model/kfunc_args.h"
#include "verifier/call/call.h"
#include "verifier/call/typed_args.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::KfuncArg;
using model::KfuncArgKind;
using model::KfuncRet;

struct KfuncCall {
  const model::Kfunc& kfunc;
  model::KfuncProto proto;
  std::uint32_t released = 0;
  std::uint32_t ref_obj_id = 0;       // of an argument: what is returned lives as long
  bool rcu_iter = false;
  std::uint32_t ret_bytes = 0;
  bool ret_size_known = false;
  unsigned uninit_reg = 0;
  std::uint32_t uninit_bytes = 0;

  bool has(std::uint32_t flag) const { return (kfunc.flags & flag) != 0; }
};

/// Functions whose meaning the verifier has to know, and does not yet: never taken for ordinary ones.
bool has_unmodelled_meaning(std::string_view name) {
  constexpr std::string_view kNames[] = {
      "bpf_throw",        "bpf_obj_new_impl",           "bpf_obj_drop_impl",        "bpf_percpu_obj_new_impl",
      "bpf_percpu_obj_drop_impl", "bpf_refcount_acquire_impl", "bpf_list_push_front_impl", "bpf_list_push_back_impl",
      "bpf_list_pop_front", "bpf_list_pop_back",        "bpf_rbtree_remove",        "bpf_rbtree_add_impl",
      "bpf_rbtree_first", "bpf_dynptr_slice",           "bpf_dynptr_slice_rdwr",    "bpf_dynptr_clone",
      "bpf_dynptr_from_skb", "bpf_dynptr_from_xdp",     "bpf_rdonly_cast",          "bpf_cast_to_kern_ctx",
      "bpf_wq_init",      "bpf_wq_set_callback_impl",   "bpf_wq_start",             "bpf_arena_alloc_pages",
      "bpf_arena_free_pages", "bpf_session_cookie",     "bpf_session_is_return"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Result<void> check_available(Step& step, const KfuncCall& call) {
  const std::string_view name = call.proto.name;
  if (has_unmodelled_meaning(name)) return step.diag.refuse(Rule::kNotSupported, {name});
  if (call.proto.unsupported != nullptr) return step.diag.refuse(Rule::kKfuncShape, {name, call.proto.unsupported});
  const std::uint32_t type = step.prog.in.prog_type;
  if (type >= 64 || (call.kfunc.prog_types >> type & 1) == 0) return step.diag.refuse(Rule::kKfuncNotAllowed, {name});
  if (!step.prog.in.gpl_compatible) return step.diag.refuse(Rule::kKfuncGpl);
  if (call.has(model::kKfuncDestructive) && !step.prog.in.rights.sys_admin)
    return step.diag.refuse(Rule::kKfuncDestructive);
  if (call.has(model::kKfuncSleepable) && !step.prog.sleepable) return step.diag.refuse(Rule::kKfuncSleeps, {name});
  if (step.path.lock.held) return step.diag.refuse(Rule::kCallUnderLock);
  const model::KernelKfunc* known = model::find_kernel_kfunc(name);
  if (known != nullptr && known->special == model::KfuncSpecial::kIterCssTask && !step.prog.sleepable &&
      (step.prog.view() & (model::kViewAnyLsm | model::kViewTraceIter)) == 0)
    return step.diag.refuse(Rule::kCssTaskIter);
  return {};
}

bool is_trusted(const RegState& reg) {
  return !reg.has(model::kUntrusted) && (reg.ref_obj_id != 0 || reg.has(model::kTrusted | model::kAllocObj));
}

Result<void> check_struct_arg(Step& step, unsigned i, const KfuncArg& arg, KfuncCall& call) {
  const unsigned regno = i + 1;
  const RegState& reg = step.reg(regno);
  const bool needs_trust = call.has(model::kKfuncTrustedArgs | model::kKfuncRelease);
  if (reg.kind != RegKind::kHostStruct) {
    // A struct of plain numbers may also be any memory of its size.
    if (!needs_trust && !call.has(model::kKfuncRcu) && model::is_scalar_struct(*call.kfunc.btf, arg.type) && reg.is_pointer())
      return check_region(step, regno, arg.bytes, false, Purpose::kReadWrite, false);
    return step.diag.refuse(Rule::kKfuncArgStruct, {i, call.kfunc.btf->type(arg.type)->name});
  }
  const bool release = call.has(model::kKfuncRelease) && reg.ref_obj_id != 0;
  if (needs_trust && !is_trusted(reg)) return step.diag.refuse(Rule::kMustBeTrusted, {regno});
  if (call.has(model::kKfuncRcu) && !is_trusted(reg) && !reg.has(model::kRcuPtr))
    return step.diag.refuse(Rule::kMustBeRcu, {regno});
  if (reg.has(model::kUntrusted | model::kUserMem | model::kPercpuPtr)) return step.diag.refuse(Rule::kMustBeTrusted, {regno});
  RING3_TRY(check_no_offset(step, reg, regno, !release));
  if (!is_struct_at(step.prog, reg, *call.kfunc.btf, arg.type, release))
    return step.diag.refuse(Rule::kKfuncArgType, {call.proto.name, i, "STRUCT", call.kfunc.btf->type(arg.type)->name, regno,
                                                  "STRUCT", step.prog.btf_name(reg.btf, reg.btf_type)});
  if (release) {
    if (call.released != 0) return step.diag.refuse(Rule::kReleaseTwo, {call.proto.name});
    call.released = reg.ref_obj_id;
  }
  if (reg.ref_obj_id != 0) call.ref_obj_id = reg.ref_obj_id;
  return {};
}

Result<void> check_scalar_arg(Step& step, unsigned regno, const KfuncArg& arg, KfuncCall& call) {
  const RegState& reg = step.reg(regno);
  if (!reg.is_scalar()) return step.diag.refuse(Rule::kNotScalar, {regno});
  if (arg.kind == KfuncArgKind::kScalar) return {};
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kNotKnownConstant, {regno});
  RING3_TRY(step.search.mark_precise(step.path, regno));
  if (arg.kind == KfuncArgKind::kRetSize) {
    if (reg.val.const_value() >= static_cast<std::uint64_t>(kMaxVarOff)) return step.diag.refuse(Rule::kSizeUnbounded, {regno});
    call.ret_bytes = static_cast<std::uint32_t>(reg.val.const_value());
    call.ret_size_known = true;
  }
  return {};
}

Result<void> check_arg(Step& step, unsigned i, KfuncCall& call) {
  const KfuncArg& arg = call.proto.args[i];
  const unsigned regno = i + 1;
  if (arg.kind == KfuncArgKind::kIgnored) return {};
  RING3_TRY(check_read(step, regno));
  const RegState& reg = step.reg(regno);
  switch (arg.kind) {
    case KfuncArgKind::kScalar: case KfuncArgKind::kConst: case KfuncArgKind::kRetSize:
      return check_scalar_arg(step, regno, arg, call);
    case KfuncArgKind::kConstMemSize:
      if (!reg.is_scalar() || !reg.val.is_const()) return step.diag.refuse(Rule::kNotKnownConstant, {regno});
      [[fallthrough]];
    case KfuncArgKind::kMemSize: {
      const KfuncArg& mem = call.proto.args[i - 1];
      if (mem.nullable && is_null_constant(step.reg(regno - 1))) return step.search.mark_precise(step.path, regno);
      const Result<void> ok = check_sized_memory(step, {regno - 1, regno, true, true, mem.uninit}, mem.uninit ? &call.uninit_bytes : nullptr);
      if (mem.uninit) call.uninit_reg = regno - 1;
      if (!ok.ok()) return step.diag.refuse_as(ok.error(), Rule::kKfuncMemLen, {i - 1, i});
      return {};
    }
    default: break;
  }
  // Pointers from here on.
  if (arg.kind == KfuncArgKind::kIter) {
    if (call.has(model::kKfuncIterNew) && i == 0) return new_iterator(step, regno, call.kfunc, arg.type);
    const SlotObject* object = RING3_TRY(iterator_arg(step, regno, call.kfunc, arg.type));
    call.ref_obj_id = object->ref_obj_id;
    call.rcu_iter = object->rcu;
    return {};
  }
  if (is_null_constant(reg) || reg.maybe_null()) {
    if (arg.nullable && is_null_constant(reg)) return step.search.mark_precise(step.path, regno);
    if (!arg.nullable) return step.diag.refuse(Rule::kPossiblyNull, {i});
  }
  switch (arg.kind) {
    case KfuncArgKind::kCtx:
      if (reg.kind != RegKind::kCtx) return step.diag.refuse(Rule::kKfuncArgCtx, {i, kind_name(reg)});
      return check_no_offset(step, reg, regno, false);
    case KfuncArgKind::kHostStruct: return check_struct_arg(step, i, arg, call);
    case KfuncArgKind::kMem: {
      if (reg.is_scalar()) return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "fp, map_value, mem"});
      RING3_TRY(check_region(step, regno, arg.bytes, false, arg.uninit ? Purpose::kWrite : Purpose::kReadWrite, arg.uninit));
      if (arg.uninit) call.uninit_reg = regno, call.uninit_bytes = arg.bytes;
      return {};
    }
    case KfuncArgKind::kMemSized: return {};  // judged with its size
    case KfuncArgKind::kConstMap:
      if (reg.kind != RegKind::kMapPtr) return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "map_ptr"});
      return {};
    default: return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "has an argument of a kind that is not supported yet"});
  }
}

Result<void> set_result(Step& step, const KfuncCall& call) {
  RegState& r0 = step.reg(0);
  r0.written = true;
  const bool maybe_null = call.has(model::kKfuncRetNull);
  switch (call.proto.ret) {
    case KfuncRet::kVoid: r0 = RegState{}; return {};
    case KfuncRet::kScalar:
      if (call.has(model::kKfuncAcquire)) return step.diag.refuse(Rule::kAcquireNoStruct);
      set_scalar(r0, zero_extend(Scalar64::unknown(), 64));
      return {};
    case KfuncRet::kHostStruct: {
      set_pointer(r0, RegKind::kHostStruct, maybe_null ? std::uint16_t{model::kMaybeNull} : std::uint16_t{0});
      if (call.has(model::kKfuncIterNext))
        r0.flags = static_cast<std::uint16_t>(r0.flags | (call.rcu_iter ? model::kRcuPtr : model::kTrusted));
      else if (call.has(model::kKfuncRcuProtected))
        r0.flags = static_cast<std::uint16_t>(r0.flags | model::kRcuPtr);
      r0.btf = step.prog.btf_index(call.kfunc.btf.get());
      r0.btf_type = call.proto.ret_type;
      if (call.has(model::kKfuncAcquire)) r0.ref_obj_id = acquire_reference(step);
      if (maybe_null) r0.id = r0.ref_obj_id != 0 ? r0.ref_obj_id : step.search.new_id();
      return {};
    }
    case KfuncRet::kMem: {
      if (call.has(model::kKfuncAcquire)) return step.diag.refuse(Rule::kAcquireNoStruct);
      if (!call.ret_size_known && call.proto.ret_bytes == 0)
        return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "returns memory of unknown size"});
      set_pointer(r0, RegKind::kMem, maybe_null ? std::uint16_t{model::kMaybeNull} : std::uint16_t{0});
      r0.flags = static_cast<std::uint16_t>(r0.flags | model::kReadOnly);
      r0.mem_bytes = call.ret_size_known ? call.ret_bytes : call.proto.ret_bytes;
      r0.ref_obj_id = call.ref_obj_id;  // gone when what it belongs to is
      if (maybe_null) r0.id = step.search.new_id();
      return {};
    }
    case KfuncRet::kUnsupported: break;
  }
  return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "returns a type that is not supported"});
}

std::uint32_t note_kfunc(VerifiedProgram& out, std::uint32_t index) {
  for (std::size_t i = 0; i < out.kfuncs.size(); ++i)
    if (out.kfuncs[i].index == index) return static_cast<std::uint32_t>(i);
  out.kfuncs.push_back({index});
  return static_cast<std::uint32_t>(out.kfuncs.size() - 1);
}

}  // namespace

Result<void> call_kfunc(Step& step) {
  std::uint32_t index = 0;
  const model::Kfunc* kfunc = step.prog.find_kfunc(step.insn(), index);
  if (kfunc == nullptr) {
    if (step.insn().off != 0) return step.diag.refuse(Rule::kNotSupported, {"kfuncs of other BTF objects than the host's"});
    const btf::Type* type =
        step.prog.facts.host_btf == nullptr ? nullptr : step.prog.facts.host_btf->type(static_cast<btf::TypeId>(step.insn().imm));
    if (type == nullptr || type->kind != btf::Kind::kFunc) return step.diag.refuse(Rule::kKfuncNoFunction, {step.insn().imm});
    return step.diag.refuse(Rule::kKfuncNotAllowed, {type->name});
  }
  KfuncCall call{*kfunc, model::describe_kfunc(*kfunc, step.prog.kind->ctx_struct)};
  RING3_TRY(check_available(step, call));
  for (unsigned i = 0; i < call.proto.args.size(); ++i) RING3_TRY(check_arg(step, i, call));
  RING3_TRY(enter_or_leave_section(step, section_call(call.proto.name), call.proto.name, call.has(model::kKfuncSleepable)));
  if (call.has(model::kKfuncRelease)) {
    if (call.released == 0) return step.diag.refuse(Rule::kReleaseExpects, {call.proto.name});
    if (!release_reference(step, call.released)) return step.diag.refuse(Rule::kReleaseNotOwned, {call.released});
  }
  if (call.uninit_bytes != 0) mark_region_written(step, step.reg(call.uninit_reg), call.uninit_bytes);
  step.facts().kfunc = note_kfunc(step.out, index);
  step.out.may_sleep |= call.has(model::kKfuncSleepable);
  if (call.has(model::kKfuncIterDestroy)) RING3_TRY(destroy_iterator(step, 1));
  if (call.has(model::kKfuncIterNext)) {
    RING3_TRY(set_result(step, call));
    step.path.insn_idx = step.idx + 1;
    return advance_iterator(step, 1);
  }
  forget_caller_saved(step);
  RING3_TRY(set_result(step, call));
  step.path.insn_idx = step.idx + 1;
  return {};
}

}  // namespace ring3::verifier
