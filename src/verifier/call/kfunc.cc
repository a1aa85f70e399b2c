// Calls of host functions. What the prototype demands is described once by model/kfunc_args; here it is held
// against the registers.
//
// Trust (behaviour.md C.3.6, C.3.7): with kTrustedArgs every struct pointer must be trusted or own a reference,
// with kRcu an RCU pointer will do. No function takes a pointer that may be null unless it says __nullable.
// Without either flag a pointer walked out of a struct is accepted, as Linux does: such a function promises to
// cope with any address of the type. Pointers marked untrusted are never accepted, nor are objects of programs' types
// where a host type is wanted.
#include <algorithm>
#include <span>

#include "btf/records.h"
#include "model/kfunc_args.h"
#include "uapi/bpf.h"
#include "verifier/call/kfunc_call.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/object.h"
#include "verifier/kinds/type_match.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::KfuncArg;
using model::KfuncArgKind;
using model::KfuncRet;
using model::KfuncSpecial;

/// Functions whose meaning the verifier has to know, and does not yet: never taken for ordinary ones.
bool is_modelled(KfuncSpecial special) {
  switch (special) {
    case KfuncSpecial::kObjNew: case KfuncSpecial::kPercpuObjNew: case KfuncSpecial::kObjDrop: case KfuncSpecial::kPercpuObjDrop:
    case KfuncSpecial::kRefcountAcquire: case KfuncSpecial::kListPush: case KfuncSpecial::kListPop:
    case KfuncSpecial::kRbtreeAdd: case KfuncSpecial::kRbtreeRemove: case KfuncSpecial::kRbtreeFirst:
    case KfuncSpecial::kRcuLock: case KfuncSpecial::kRcuUnlock: case KfuncSpecial::kPreemptDisable:
    case KfuncSpecial::kPreemptEnable: case KfuncSpecial::kIterCssTask: case KfuncSpecial::kIteratorsOnly:
    case KfuncSpecial::kDynptrFromSkb: case KfuncSpecial::kDynptrFromXdp: case KfuncSpecial::kDynptrSlice:
    case KfuncSpecial::kDynptrClone: case KfuncSpecial::kThrow: case KfuncSpecial::kWqInit: case KfuncSpecial::kWqSetCallback:
    case KfuncSpecial::kRdonlyCast: case KfuncSpecial::kCastToKernCtx:
      return true;
    case KfuncSpecial::kArena: case KfuncSpecial::kSession: case KfuncSpecial::kMapStruct: case KfuncSpecial::kNone: return true;
    default: return false;
  }
}

/// Functions of lists and trees: the only ones that are called under a lock.
bool is_under_lock(KfuncSpecial special) {
  switch (special) {
    case KfuncSpecial::kListPush: case KfuncSpecial::kListPop: case KfuncSpecial::kRbtreeAdd: case KfuncSpecial::kRbtreeRemove:
    case KfuncSpecial::kRbtreeFirst: case KfuncSpecial::kRefcountAcquire:
      return true;
    default: return false;
  }
}

Result<void> check_available(Step& step, const KfuncCall& call) {
  const std::string_view name = call.proto.name;
  if (step.path.lock.held && !is_under_lock(call.special)) return step.diag.refuse(Rule::kCallUnderLock);
  const std::uint32_t type = step.prog.type;
  if (call.special == KfuncSpecial::kSession && step.prog.attach_type != uapi::BPF_TRACE_KPROBE_SESSION)
    return step.diag.refuse(Rule::kKfuncNotAllowed, {name});
  const bool iterators_only = call.special == KfuncSpecial::kIteratorsOnly;
  if (type >= 64 || (call.kfunc.prog_types >> type & 1) == 0 || (iterators_only && (step.prog.view() & model::kViewTraceIter) == 0))
    return step.diag.refuse(Rule::kKfuncNotAllowed, {name});
  // They answer for a device's queue: Linux lets only programs have them that are bound to one, which none is here.
  if (name.starts_with("bpf_xdp_metadata_rx_")) return step.diag.refuse(Rule::kKfuncDeviceBound);
  if (!is_modelled(call.special)) return step.diag.refuse(Rule::kNotSupported, {name});
  if (call.proto.unsupported != nullptr) return step.diag.refuse(Rule::kKfuncShape, {name, call.proto.unsupported});
  if (!step.prog.in.gpl_compatible) return step.diag.refuse(Rule::kKfuncGpl);
  if (call.has(model::kKfuncDestructive) && !step.prog.in.rights.sys_admin)
    return step.diag.refuse(Rule::kKfuncDestructive);
  if (call.has(model::kKfuncSleepable) && !step.path.in_sleepable) return step.diag.refuse(Rule::kKfuncSleeps, {name});
  if (call.has(model::kKfuncRcuProtected) && !call.has(model::kKfuncIterNew | model::kKfuncIterNext) && !in_read_section(step))
    return step.diag.refuse(Rule::kKfuncNeedsSection, {name});
  if (call.special == KfuncSpecial::kIterCssTask && !step.path.in_sleepable &&
      (step.prog.view() & (model::kViewAnyLsm | model::kViewTraceIter)) == 0)
    return step.diag.refuse(Rule::kCssTaskIter);
  return {};
}

/// Owned, or by its kind valid for the whole run and nothing else.
bool is_trusted(const RegState& reg) {
  constexpr std::uint16_t kGood = model::kTrusted | model::kAllocObj | model::kNonOwning;
  return reg.ref_obj_id != 0 || (reg.has(kGood) && (reg.flags & ~kGood) == 0);
}

/// Where in its object a pointer may point when it is passed on.
Result<void> check_arg_offset(Step& step, const RegState& reg, unsigned regno, bool release) {
  if (release && reg.off != 0) return step.diag.refuse(Rule::kReleaseOffset, {regno});
  switch (reg.kind) {
    case RegKind::kStack: case RegKind::kPacket: case RegKind::kPacketMeta: case RegKind::kMapKey: case RegKind::kMapValue:
    case RegKind::kMem: case RegKind::kBuf: case RegKind::kArena: case RegKind::kScalar:
      return reg.maybe_null() ? check_no_offset(step, reg, regno, false) : Result<void>{};
    case RegKind::kHostStruct: {
      constexpr unsigned kObject = model::kAllocObj, kUser = model::kAllocObj | model::kNonOwning;
      const bool fixed_ok = reg.flags == 0 || reg.flags == kObject || reg.flags == model::kTrusted || reg.flags == model::kRcuPtr ||
                            reg.flags == kUser || reg.flags == (kUser | model::kRcuPtr);
      return check_no_offset(step, reg, regno, fixed_ok);
    }
    default: return check_no_offset(step, reg, regno, false);
  }
}

Result<void> refuse_memory(Step& step, unsigned i, const KfuncCall& call) {
  const btf::Type* pointee = call.kfunc.btf->type(call.proto.args[i].type);
  const bool none = call.proto.args[i].type == 0 || pointee == nullptr;
  return step.diag.refuse(Rule::kKfuncArgMem, {i, none ? "UNKNOWN" : btf::kind_row(pointee->kind).text, none ? "" : pointee->name, ""});
}

/// The ABI shows a struct of the kernel's as another one: who wants the one may be given the other.
bool is_shown_as(std::string_view shown, std::string_view kernels) {
  return (shown == "__sk_buff" && kernels == "sk_buff") || (shown == "xdp_md" && kernels == "xdp_buff");
}

/// Only a netfilter run knows which packet such a pointer means (exec::RunArgs::packet); everywhere else it would be taken for a
/// context.
bool has_packet_behind(const Step& step, const KfuncCall& call) {
  return call.special == model::KfuncSpecial::kDynptrFromSkb && step.prog.kind->type == uapi::BPF_PROG_TYPE_NETFILTER;
}

/// The host's struct that what is no pointer to one stands for in Linux: valid for the whole run. "" none.
std::string_view stands_for(const RegState& reg) {
  if (reg.maybe_null()) return "";
  switch (reg.kind) {
    case RegKind::kSocket: return "sock";
    case RegKind::kSockCommon: return "sock_common";
    case RegKind::kTcpSock: return "tcp_sock";
    case RegKind::kMapPtr: return "bpf_map";
    default: return "";
  }
}

/// One of Linux's own functions here takes a map itself, and the struct by which an iterator shows one. The two are different memory, so
/// that a call is told which it gets (InsnFacts::shown_map), and is not run where paths disagree. In an iterator program any struct of
/// that type will do that is trusted and nobody's own: exec/ takes none but the one that is shown (exec/helpers/map_count.cc).
bool takes_map(Step& step, const KfuncCall& call, const RegState& reg) {
  if (call.special != KfuncSpecial::kMapStruct || !call.kfunc.with_run) return false;
  const bool shown = reg.kind == RegKind::kHostStruct;
  if (shown && ((step.prog.view() & model::kViewTraceIter) == 0 || reg.flags != model::kTrusted || reg.ref_obj_id != 0 || reg.off != 0))
    return false;
  if (step.first_note(Step::kFactMap)) step.facts().shown_map = shown;
  return step.facts().shown_map == shown;
}

/// A socket or a map given as the host's struct of it. No host has them in that shape.
Result<void> check_stand_in(Step& step, unsigned i, const KfuncArg& arg, const KfuncCall& call) {
  const RegState& reg = step.reg(i + 1);
  const std::string_view name = stands_for(reg);
  RING3_TRY(check_arg_offset(step, reg, i + 1, call.has(model::kKfuncRelease) && reg.ref_obj_id != 0));
  const btf::Btf* host = step.prog.facts.host_btf.get();
  const btf::TypeId have = host == nullptr ? 0 : host->find(name, btf::Kind::kStruct);
  const bool exact = call.has(model::kKfuncRelease) && reg.ref_obj_id != 0;
  if (have == 0 || !struct_holds(step.prog, *host, have, 0, *call.kfunc.btf, arg.type, exact))
    return step.diag.refuse(Rule::kKfuncArgType, {call.proto.name, i, "STRUCT", call.kfunc.btf->type(arg.type)->name, i + 1, "STRUCT", name});
  if (!takes_map(step, call, reg)) step.out.not_runnable = "a socket or a map given as one of the host's structs";
  return {};
}

Result<void> check_struct_arg(Step& step, unsigned i, const KfuncArg& arg, const KfuncCall& call) {
  const unsigned regno = i + 1;
  const RegState& reg = step.reg(regno);
  const btf::Type& wanted = *call.kfunc.btf->type(arg.type);
  const bool needs_trust = call.has(model::kKfuncTrustedArgs | model::kKfuncRelease);
  if (!stands_for(reg).empty()) return check_stand_in(step, i, arg, call);
  if (reg.kind != RegKind::kHostStruct) {
    const model::ScalarStruct scalars = model::judge_scalar_struct(*call.kfunc.btf, arg.type);
    if (scalars == model::ScalarStruct::kTooDeep) step.diag.print("max struct nesting depth exceeded\n", {});
    if (scalars != model::ScalarStruct::kYes) return refuse_memory(step, i, call);
    // A struct of plain numbers may also be any memory of its size.
    if (!needs_trust && !call.has(model::kKfuncRcu) && reg.is_pointer())
      return check_region(step, regno, arg.bytes, false, Purpose::kReadWrite, false);
    return step.diag.refuse(Rule::kKfuncArgStruct, {i, kind_name(reg), "ptr_ or socket"});
  }
  if (!is_trusted(reg) && call.has(model::kKfuncRcu)) {
    if (!reg.has(model::kRcuPtr)) return step.diag.refuse(Rule::kMustBeRcu, {regno});
  } else if (!is_trusted(reg) && needs_trust) {
    return step.diag.refuse(Rule::kMustBeTrusted, {regno});
  }
  const bool release = call.has(model::kKfuncRelease) && reg.ref_obj_id != 0;
  RING3_TRY(check_arg_offset(step, reg, regno, release));
  if (reg.has(model::kUntrusted | model::kUserMem | model::kPercpuPtr | model::kMaybeNull))
    return step.diag.refuse(Rule::kKfuncArgStruct, {i, kind_name(reg), "ptr_ or socket"});
  const std::string_view have = step.prog.btf_name(reg.btf, reg.btf_type);
  if (reg.off == 0 && !release && is_host_type(step.prog, reg) && is_shown_as(wanted.name, have)) {
    if (!has_packet_behind(step, call)) step.out.not_runnable = "the kernel's packet given as a context";
    return {};
  }
  const bool exact = release || is_nocast_alias(have, wanted.name);
  if (!struct_holds(step.prog, *step.prog.btfs[reg.btf], reg.btf_type, reg.off, *call.kfunc.btf, arg.type, exact))
    return step.diag.refuse(Rule::kKfuncArgType, {call.proto.name, i, "STRUCT", wanted.name, regno, "STRUCT", have});
  if (call.special == KfuncSpecial::kMapStruct && !takes_map(step, call, reg)) step.out.not_runnable = "a map given as one of the host's structs";
  return {};
}

/// A map that the host's own types describe: nobody knows which, and no host has them in that shape.
Result<void> check_host_map(Step& step, unsigned regno, const KfuncCall& call) {
  const RegState& reg = step.reg(regno);
  if (call.has(model::kKfuncTrustedArgs) && !is_trusted(reg)) return step.diag.refuse(Rule::kMustBeTrusted, {regno});
  const btf::Btf* host = step.prog.facts.host_btf.get();
  const btf::TypeId wanted = host == nullptr ? 0 : host->find("bpf_map", btf::Kind::kStruct);
  RING3_TRY(check_no_offset(step, reg, regno, true));
  const bool fits = wanted != 0 && call.work.map == UINT32_MAX &&
                    struct_holds(step.prog, *step.prog.btfs[reg.btf], reg.btf_type, reg.off, *host, wanted, false);
  if (!fits)
    return step.diag.refuse(Rule::kKfuncArgType, {call.proto.name, regno - 1, "STRUCT", "bpf_map", regno, "STRUCT",
                                                  step.prog.btf_name(reg.btf, reg.btf_type)});
  step.out.not_runnable = "a map given as one of the host's structs";
  return {};
}

Result<void> check_scalar_arg(Step& step, unsigned regno, const KfuncArg& arg, KfuncCall& call) {
  const RegState& reg = step.reg(regno);
  if (!reg.is_scalar()) return step.diag.refuse(Rule::kNotScalar, {regno});
  if (arg.kind == KfuncArgKind::kScalar) return {};
  if (arg.kind == KfuncArgKind::kRetSize && call.ret_size_known) return step.diag.refuse(Rule::kRetSizeTwice, {});
  if (!reg.val.is_const()) return step.diag.refuse(arg.kind == KfuncArgKind::kRetSize ? Rule::kRetSizeConstant : Rule::kNotKnownConstant, {regno});
  RING3_TRY(step.search.mark_precise(step.path, regno));
  if (arg.kind == KfuncArgKind::kConst) call.constant = reg.val.const_value();
  if (arg.kind == KfuncArgKind::kRetSize) {
    if (reg.val.const_value() >= static_cast<std::uint64_t>(kMaxVarOff)) return step.diag.refuse(Rule::kSizeUnbounded, {regno});
    call.ret_bytes = static_cast<std::uint32_t>(reg.val.const_value());
    call.ret_size_known = true;
    call.ret_writable = arg.writable;
  }
  return {};
}

/// The constant size of memory, which for slices is the size of the result.
Result<void> check_const_size(Step& step, unsigned regno, KfuncCall& call) {
  const RegState& reg = step.reg(regno);
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kNotKnownConstant, {regno});
  if (call.special != KfuncSpecial::kDynptrSlice) return {};
  if (reg.val.const_value() >= static_cast<std::uint64_t>(kMaxVarOff)) return step.diag.refuse(Rule::kSizeUnbounded, {regno});
  call.ret_bytes = static_cast<std::uint32_t>(reg.val.const_value());
  call.ret_size_known = true;
  return {};
}

/// Pointers to what BTF describes, as opposed to memory, maps and contexts.
bool is_struct_kind(KfuncArgKind kind) {
  switch (kind) {
    case KfuncArgKind::kHostStruct: case KfuncArgKind::kAllocObj: case KfuncArgKind::kRefcounted: case KfuncArgKind::kListHead:
    case KfuncArgKind::kListNode: case KfuncArgKind::kRbRoot: case KfuncArgKind::kRbNode:
      return true;
    default: return false;
  }
}

Result<void> check_arg(Step& step, unsigned i, KfuncCall& call) {
  const KfuncArg& arg = call.proto.args[i];
  const unsigned regno = i + 1;
  if (arg.kind == KfuncArgKind::kIgnored) return {};
  if (call.special == KfuncSpecial::kCastToKernCtx) {
    RING3_TRY(check_read(step, regno));
    if (step.reg(regno).kind != RegKind::kCtx) return step.diag.refuse(Rule::kKfuncArgCtx, {i, kind_name(step.reg(regno))});
    return check_no_offset(step, step.reg(regno), regno, false);
  }
  RING3_TRY(check_read(step, regno));
  const RegState& reg = step.reg(regno);
  switch (arg.kind) {
    case KfuncArgKind::kScalar: case KfuncArgKind::kConst: case KfuncArgKind::kRetSize:
      return check_scalar_arg(step, regno, arg, call);
    case KfuncArgKind::kConstMemSize: case KfuncArgKind::kMemSize: {
      if (!reg.is_scalar()) return step.diag.refuse(Rule::kNotKnownConstant, {regno});
      const KfuncArg& mem = call.proto.args[i - 1];
      if (mem.optional && is_null_constant(step.reg(regno - 1))) {
        RING3_TRY(step.search.mark_precise(step.path, regno));
      } else {
        const Result<void> ok =
            check_sized_memory(step, {regno - 1, regno, true, true, mem.uninit}, mem.uninit ? &call.uninit_bytes[regno - 1] : nullptr);
        if (!ok.ok()) return step.diag.refuse_as(ok.error(), Rule::kKfuncMemLen, {i - 1, i});
      }
      return arg.kind == KfuncArgKind::kConstMemSize ? check_const_size(step, regno, call) : Result<void>{};
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
  if (arg.kind == KfuncArgKind::kDynptr && !(arg.nullable && is_null_constant(reg)))
    return check_dynptr_arg(step, i, call);
  if (is_null_constant(reg) || reg.maybe_null()) {
    if (arg.nullable && is_null_constant(reg)) return step.search.mark_precise(step.path, regno);
    const bool judged_below = reg.maybe_null() && is_struct_kind(arg.kind) &&
                              !call.has(model::kKfuncTrustedArgs | model::kKfuncRelease | model::kKfuncRcu);
    if (!arg.nullable && !judged_below) return step.diag.refuse(Rule::kPossiblyNull, {i});
  }
  // Memory that goes with what owns it is given back by giving that back.
  const bool releases = call.has(model::kKfuncRelease) && is_struct_kind(arg.kind);
  if (reg.ref_obj_id != 0) {
    if (releases && call.released != 0) return step.diag.refuse(Rule::kReleaseTwo, {call.proto.name});
    call.ref_obj_id = reg.ref_obj_id;
    if (releases) call.released = reg.ref_obj_id;
  } else if (reg.voucher() != 0) {
    call.ref_obj_id = reg.voucher();
  }
  if (arg.kind == KfuncArgKind::kHostStruct) return check_struct_arg(step, i, arg, call);
  if (arg.kind == KfuncArgKind::kAllocObj && !is_trusted(reg)) return step.diag.refuse(Rule::kMustBeTrusted, {regno});
  if (is_struct_kind(arg.kind)) RING3_TRY(check_arg_offset(step, reg, regno, call.has(model::kKfuncRelease) && reg.ref_obj_id != 0));
  switch (arg.kind) {
    case KfuncArgKind::kCtx:
      if (reg.kind != RegKind::kCtx) return step.diag.refuse(Rule::kKfuncArgCtx, {i, kind_name(reg)});
      return check_no_offset(step, reg, regno, false);
    case KfuncArgKind::kAllocObj: return check_alloc_arg(step, i, call);
    case KfuncArgKind::kRefcounted: return check_refcounted_arg(step, i, call);
    case KfuncArgKind::kListHead: case KfuncArgKind::kRbRoot: return check_graph_root(step, i, call);
    case KfuncArgKind::kListNode: case KfuncArgKind::kRbNode: return check_graph_node(step, i, call);
    case KfuncArgKind::kCallback:
      if (reg.kind != RegKind::kFunc) return step.diag.refuse(Rule::kKfuncArgFunc, {i});
      call.callback = reg.subprog;
      return {};
    case KfuncArgKind::kMem: {
      if (reg.is_scalar()) return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "fp, map_value, mem"});
      RING3_TRY(check_region(step, regno, arg.bytes, false, arg.uninit ? Purpose::kWrite : Purpose::kReadWrite, arg.uninit));
      if (arg.uninit) call.uninit_bytes[regno] = arg.bytes;
      return {};
    }
    case KfuncArgKind::kMemSized:  // judged with its size
      if (call.special == KfuncSpecial::kDynptrSlice) call.buffer = reg;
      return {};
    case KfuncArgKind::kConstMap:
      if (reg.kind == RegKind::kHostStruct) return check_host_map(step, regno, call);
      if (reg.kind != RegKind::kMapPtr) return step.diag.refuse(Rule::kNoMapPointer, {regno});
      if (call.work.map != UINT32_MAX) return check_field_map(step, call.work, reg, model::FieldKind::kWork);
      return {};
    case KfuncArgKind::kWork:
      if (reg.kind != RegKind::kMapValue) return step.diag.refuse(Rule::kAsyncNoValue, {i});
      call.work = RING3_TRY(async_field(step, regno, model::FieldKind::kWork));
      return {};
    case KfuncArgKind::kConstStr:
      if (reg.kind != RegKind::kMapValue) return step.diag.refuse(Rule::kKfuncArgString, {i});
      return check_const_string(step, regno);
    case KfuncArgKind::kUnsupported:
      if (arg.type == 0) return refuse_memory(step, i, call);
      [[fallthrough]];
    default: return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "has an argument of a kind that is not supported yet"});
  }
}

/// Another reference to what the path owns anyway cannot fail.
bool may_return_null(const KfuncCall& call) {
  return call.has(model::kKfuncRetNull) && !(call.special == KfuncSpecial::kRefcountAcquire && call.owning);
}

/// The object a function of objects, lists or trees returns.
Result<bool> set_special_result(Step& step, const KfuncCall& call, std::uint16_t null) {
  switch (call.special) {
    case KfuncSpecial::kObjNew: case KfuncSpecial::kPercpuObjNew: case KfuncSpecial::kRefcountAcquire:
      RING3_TRY(set_object_result(step, call, null));
      return true;
    case KfuncSpecial::kListPop: case KfuncSpecial::kRbtreeRemove: case KfuncSpecial::kRbtreeFirst:
      set_node_result(step, call, null);
      return true;
    default: return false;
  }
}

Result<void> set_result(Step& step, const KfuncCall& call) {
  RegState& r0 = step.reg(0);
  r0.written = true;
  const bool maybe_null = may_return_null(call);
  const std::uint16_t null = maybe_null ? std::uint16_t{model::kMaybeNull} : std::uint16_t{0};
  if (is_cast(call.special)) return set_cast_result(step, call);
  if (call.special == KfuncSpecial::kDynptrSlice) return set_slice_result(step, call);
  const bool special = RING3_TRY(set_special_result(step, call, null));
  if (special || call.proto.ret == KfuncRet::kHostStruct) {
    if (!special) {
      set_pointer(r0, RegKind::kHostStruct, null);
      if (call.has(model::kKfuncIterNext))
        r0.flags = static_cast<std::uint16_t>(r0.flags | (call.rcu_iter ? model::kRcuPtr : model::kTrusted));
      else if (call.has(model::kKfuncRcuProtected))
        r0.flags = static_cast<std::uint16_t>(r0.flags | model::kRcuPtr);
      r0.btf = step.prog.btf_index(call.kfunc.btf.get());
      r0.btf_type = call.proto.ret_type;
    }
    // Linux numbers the null test first, then the reference, which takes its place.
    if (maybe_null) r0.id = step.search.new_id();
    if (call.has(model::kKfuncAcquire)) {
      r0.ref_obj_id = acquire_reference(step);
      if (maybe_null) r0.id = r0.ref_obj_id;
    }
    if (r0.id == 0 && may_hold_lock(step.prog, r0)) r0.id = step.search.new_id();
    return {};
  }
  switch (call.proto.ret) {
    case KfuncRet::kVoid: r0 = RegState{}; return {};
    case KfuncRet::kScalar:
      if (call.has(model::kKfuncAcquire)) return step.diag.refuse(Rule::kAcquireNoStruct);
      set_scalar(r0, zero_extend(Scalar64::unknown(), 64));
      return {};
    case KfuncRet::kHostStruct: break;
    case KfuncRet::kMem: {
      if (call.has(model::kKfuncAcquire)) return step.diag.refuse(Rule::kAcquireNoStruct);
      if (call.special == KfuncSpecial::kArena) {  // the client's address of pages: a number until it is cast
        set_unknown(r0);
        return {};
      }
      if (!call.ret_size_known && call.proto.ret_bytes == 0)
        return step.diag.refuse(Rule::kKfuncShape, {call.proto.name, "returns memory of unknown size"});
      set_pointer(r0, RegKind::kMem, maybe_null ? std::uint16_t{model::kMaybeNull} : std::uint16_t{0});
      // A session's cookie is for the program to write.
      if (call.special != KfuncSpecial::kSession && !call.ret_writable) r0.flags = static_cast<std::uint16_t>(r0.flags | model::kReadOnly);
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
    if (step.insn().off == 0 && step.insn().imm == 0) return step.diag.refuse(Rule::kKfuncNotEliminated);
    if (step.insn().off != 0) return step.diag.refuse(Rule::kNotSupported, {"kfuncs of other BTF objects than the host's"});
    const btf::Type* type =
        step.prog.facts.host_btf == nullptr ? nullptr : step.prog.facts.host_btf->type(static_cast<btf::TypeId>(step.insn().imm));
    if (type == nullptr || type->kind != btf::Kind::kFunc) return step.diag.refuse(Rule::kKfuncNoFunction, {step.insn().imm});
    return step.diag.refuse(Rule::kKfuncNotAllowed, {type->name});
  }
  KfuncCall call{.kfunc = *kfunc, .proto = model::describe_kfunc(*kfunc, step.prog.kind->ctx_struct)};
  call.special = step.prog.special_of(index);
  RING3_TRY(check_available(step, call));
  for (unsigned i = 0; i < call.proto.args.size(); ++i) RING3_TRY(check_arg(step, i, call));
  if (call.special == KfuncSpecial::kRbtreeAdd) {
    step.facts().callee = call.callback;
    RING3_TRY(run_callback(step, {.args = CallbackPlan::Args::kTreeNodes, .subprog = call.callback, .ctx_reg = 3, .root = call.root}));
    end_callbacks(step.frame());
  }
  RING3_TRY(enter_or_leave_section(step, section_call(call.special), call.proto.name, call.has(model::kKfuncSleepable)));
  if (call.special == KfuncSpecial::kListPush || call.special == KfuncSpecial::kRbtreeAdd) RING3_TRY(give_node_to_root(step, call));
  if (call.special == KfuncSpecial::kObjDrop || call.special == KfuncSpecial::kPercpuObjDrop) RING3_TRY(note_dropped_object(step, call));
  if (call.special == KfuncSpecial::kWqSetCallback) RING3_TRY(schedule_callback(step, call.callback, call.work, true));
  if (call.special == KfuncSpecial::kThrow) {
    step.facts().kfunc = note_kfunc(step.out, index);
    return throw_exception(step);
  }
  if (call.has(model::kKfuncRelease)) {
    if (call.released == 0) return step.diag.refuse(Rule::kReleaseExpects, {call.proto.name});
    if (!release_reference(step, call.released)) return step.diag.refuse(Rule::kReleaseNotOwned, {call.released});
  }
  for (unsigned r = 1; r < call.uninit_bytes.size(); ++r)
    if (call.uninit_bytes[r] != 0) mark_region_written(step, step.reg(r), call.uninit_bytes[r]);
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
