// Helper calls, derived from the helper's row: availability, arguments, effects, result.
#include <algorithm>

#include "isa/helper_names.h"
#include "model/target_lists.h"
#include "uapi/bpf.h"
#include "verifier/call/call.h"
#include "verifier/call/map_rules.h"
#include "verifier/call/typed_args.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/dynptr.h"
#include "verifier/kinds/kptr_field.h"
#include "verifier/kinds/object.h"
#include "verifier/kinds/storage_owner.h"
#include "verifier/transfer/early_end.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

using model::ArgKind;
using model::ArgSpec;
using model::HelperProto;
using model::RetKind;

/// What the arguments of one call said.
struct HelperCall {
  const HelperProto& proto;
  std::uint32_t map = UINT32_MAX;     // index of the kConstMapPtr argument
  std::uint32_t map_uid = 0;
  std::uint32_t alloc_bytes = 0;
  std::uint32_t released = 0;         // reference
  std::uint32_t arg_ref = 0;          // reference of the last argument that has one
  std::uint32_t owned_arg = 0;        // … that is, or lies in, what is owned
  DynptrUse dynptr{};
  std::uint32_t released_dynptr = 0;  // its reference
  std::uint32_t callback = UINT32_MAX;
  FieldMap timer{};
  const model::Field* kptr = nullptr; // bpf_kptr_xchg
  RegState percpu{};                  // bpf_this_cpu_ptr and its like: their argument
  unsigned uninit_reg = 0;            // memory the helper writes: register …
  std::uint32_t uninit_bytes = 0;     // … and size; 0: none
  std::uint64_t size_max = 0;         // of the memory argument
};

/// Name of the function the program is attached to; "" none.
std::string_view target_function(const Program& prog) {
  const model::AttachTarget& target = prog.in.target;
  if (target.kind != model::AttachTarget::Kind::kFunction || target.btf == nullptr) return {};
  const btf::Type* func = target.btf->type(target.type);
  return func == nullptr ? std::string_view{} : func->name;
}

Result<void> check_available(Step& step, const HelperProto* proto, std::uint32_t id) {
  if (isa::helper_name(id).empty()) return step.diag.refuse(Rule::kInvalidFunc, {helper_text(id)});
  const auto refuse = [&] { return step.diag.refuse(Rule::kHelperNotAllowed, {helper_text(id)}); };
  if (proto == nullptr) return refuse();
  bool available = model::may_call(*proto, step.prog.view(), step.prog.in.rights);
  if (!available && step.prog.in.target.ops != nullptr) {
    const auto& extra = step.prog.in.target.ops->allowed_helpers;
    const auto& denied = step.prog.in.target.ops->members[step.prog.in.target.member].denied_helpers;
    available = std::find(extra.begin(), extra.end(), id) != extra.end() && std::find(denied.begin(), denied.end(), id) == denied.end();
  }
  if (!available) return refuse();
  // Rules of these are not checked yet: refused, never guessed.
  if ((proto->flags & model::kHelperFindVma) != 0 &&
      (step.prog.facts.host_btf == nullptr || step.prog.facts.host_btf->find("vm_area_struct", btf::Kind::kStruct) == 0))
    return step.diag.refuse(Rule::kNotSupported, {"struct vm_area_struct, which the host's types lack,"});
  if (!model::helper_allows_target(*proto, step.prog.view(), target_function(step.prog)))
    return step.diag.refuse(Rule::kHelperNotForTarget);
  if ((proto->flags & model::kHelperNeedsFunc) != 0 && (step.prog.view() & (model::kViewKprobe | model::kViewTraceProbe)) == 0)
    return step.diag.refuse(Rule::kHelperNeedsFunction, {helper_text(id)});
  if ((proto->flags & model::kHelperGplOnly) != 0 && !step.prog.in.gpl_compatible)
    return step.diag.refuse(Rule::kHelperGpl);
  if ((proto->flags & model::kHelperMaySleep) != 0) {
    if (!step.path.in_sleepable) return step.diag.refuse(Rule::kHelperSleeps);
    if (step.path.rcu_depth > 0) return step.diag.refuse(Rule::kSleepInSection, {helper_text(id)});
    if (step.path.preempt_depth > 0) return step.diag.refuse(Rule::kSleepNoPreempt, {helper_text(id)});
  }
  if (step.path.lock.held && (proto->flags & model::kHelperUnderLock) == 0) return step.diag.refuse(Rule::kCallUnderLock);
  return {};
}

/// Kinds an argument takes, spelled as the log lists them; empty: any.
struct Accepted {
  std::initializer_list<RegKind> kinds;
  std::uint16_t flags;       // qualifiers a pointer may carry besides kMaybeNull
  std::string_view text;
};
const Accepted* accepted_kinds(ArgKind kind) {
  using enum RegKind;
  static const Accepted mem{{kStack, kPacket, kPacketMeta, kMapKey, kMapValue, kMem, kBuf},
                            model::kReadOnly | model::kRingbufMem | model::kPacketSlice,
                            "fp, pkt, pkt_meta, map_key, map_value, mem, ringbuf_mem, buf, trusted_ptr_"};
  static const Accepted ctx{{kCtx}, 0, "ctx"};
  static const Accepted map{{kMapPtr}, 0, "map_ptr"};
  static const Accepted scalar{{kScalar}, 0, "scalar"};
  static const Accepted func{{kFunc}, 0, "func"};
  static const Accepted stack{{kStack}, 0, "fp"};
  static const Accepted value{{kMapValue}, 0, "map_value"};
  static const Accepted lock{{kMapValue, kHostStruct}, 0, "map_value, ptr_"};
  static const Accepted percpu{{kHostStruct}, model::kPercpuPtr | model::kRcuPtr | model::kTrusted,
                               "percpu_ptr_, percpu_rcu_ptr_, percpu_trusted_ptr_"};
  static const Accepted dynptr{{kStack, kDynptr}, 0, "fp, dynptr_ptr"};
  static const Accepted ringbuf{{kMem}, model::kRingbufMem, "ringbuf_mem"};
  switch (kind) {
    case ArgKind::kMapKey: case ArgKind::kMapValue: case ArgKind::kMem: case ArgKind::kFixedMem: return &mem;
    case ArgKind::kCtx: return &ctx;
    case ArgKind::kConstMapPtr: return &map;
    case ArgKind::kScalar: case ArgKind::kMemSize: case ArgKind::kMemSizeOrZero: case ArgKind::kConstAllocSize: return &scalar;
    case ArgKind::kCallback: return &func;
    case ArgKind::kStackPtr: return &stack;
    case ArgKind::kConstStr: case ArgKind::kTimer: return &value;
    case ArgKind::kRingbufMem: return &ringbuf;
    case ArgKind::kDynptr: return &dynptr;
    case ArgKind::kSpinLock: return &lock;
    case ArgKind::kPercpuVar: return &percpu;
    default: return nullptr;
  }
}

Result<void> check_kind(Step& step, unsigned regno, const ArgSpec& arg, const HelperProto& proto) {
  const RegState& reg = step.reg(regno);
  if (is_typed_arg(arg.kind)) return check_typed_arg(step, regno, arg);
  const Accepted* accepted = accepted_kinds(arg.kind);
  if (accepted == nullptr) return step.diag.refuse(Rule::kNotSupported, {"this kind of helper argument"});
  const auto refuse = [&] { return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), accepted->text}); };
  if (arg.kind == ArgKind::kMem && reg.kind == RegKind::kHostStruct && reg.flags == model::kTrusted) {
    if ((arg.flags & (model::kArgWrite | model::kArgUninit)) == 0) return {};
    return step.diag.refuse(Rule::kHelperWritesStruct, {isa::helper_name(proto.id), regno, kind_name(reg)});
  }
  if (std::find(accepted->kinds.begin(), accepted->kinds.end(), reg.kind) == accepted->kinds.end()) return refuse();
  const unsigned allowed = accepted->flags | ((arg.flags & model::kArgMaybeNull) != 0 ? unsigned{model::kMaybeNull} : 0u);
  if (arg.kind == ArgKind::kSpinLock && reg.kind == RegKind::kHostStruct) return is_owning_object(reg) ? Result<void>{} : refuse();
  if ((reg.flags & ~allowed) != 0) return refuse();
  if (arg.kind == ArgKind::kPercpuVar && (!reg.has(model::kPercpuPtr) || (reg.has(model::kRcuPtr) && reg.has(model::kTrusted))))
    return refuse();
  if (arg.kind == ArgKind::kRingbufMem && !reg.has(model::kRingbufMem)) return refuse();
  const bool packet = reg.kind == RegKind::kPacket || reg.kind == RegKind::kPacketMeta;
  if (packet && (proto.flags & model::kHelperPacketArgs) == 0) return step.diag.refuse(Rule::kHelperPacket);
  if (arg.kind == ArgKind::kDynptr) return {};
  if ((arg.flags & model::kArgRelease) != 0 && reg.ref_obj_id == 0) return step.diag.refuse(Rule::kReleaseUnowned, {regno});
  return {};
}

bool holds_sockets(const model::MapFacts& map) {
  return map.type == uapi::BPF_MAP_TYPE_SOCKMAP || map.type == uapi::BPF_MAP_TYPE_SOCKHASH;
}

/// The values of a map of sockets are sockets.
bool is_socket_value(const Step& step, const ArgSpec& arg, const HelperCall& call) {
  return arg.kind == ArgKind::kMapValue && call.map != UINT32_MAX && holds_sockets(*step.prog.maps[call.map]);
}

Result<void> check_map_memory(Step& step, unsigned regno, const ArgSpec& arg, HelperCall& call) {
  const bool key = arg.kind == ArgKind::kMapKey;
  if (call.map == UINT32_MAX) return step.diag.refuse(Rule::kNoMapForKey, {key ? "key" : "value"});
  const model::MapFacts& map = *step.prog.maps[call.map];
  const std::uint32_t bytes = key ? map.key_size : map.value_size;
  if (bytes == 0) return step.diag.refuse(Rule::kZeroSizedRead);
  // Peeking into a filter asks whether it has the value.
  const bool asks = map.type == uapi::BPF_MAP_TYPE_BLOOM_FILTER;
  const bool write = (arg.flags & model::kArgWrite) != 0 && !asks;
  const bool uninit = (arg.flags & model::kArgUninit) != 0 && !asks;
  RING3_TRY(check_region(step, regno, bytes, false, write ? Purpose::kWrite : Purpose::kRead, uninit));
  if (uninit) call.uninit_reg = regno, call.uninit_bytes = bytes;
  return {};
}

Result<void> check_alloc_size(Step& step, unsigned regno, HelperCall& call) {
  const RegState& reg = step.reg(regno);
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kNotConstant, {regno});
  if (reg.val.const_value() >= static_cast<std::uint64_t>(kMaxVarOff)) return step.diag.refuse(Rule::kSizeUnbounded, {regno});
  call.alloc_bytes = static_cast<std::uint32_t>(reg.val.const_value());
  return step.search.mark_precise(step.path, regno);
}

Result<void> check_map_ptr(Step& step, unsigned regno, HelperCall& call) {
  const RegState& reg = step.reg(regno);
  if (call.timer.map != UINT32_MAX) RING3_TRY(check_field_map(step, call.timer, reg, model::FieldKind::kTimer));
  call.map = reg.map;
  call.map_uid = reg.btf;
  InsnFacts& facts = step.facts();
  // One instruction reached with different maps has no map of its own.
  if (step.first_note(Step::kFactMap)) facts.map = reg.map;
  else if (facts.map != reg.map) facts.map = UINT32_MAX;
  return {};
}

Result<void> check_dynptr_arg(Step& step, unsigned regno, const ArgSpec& arg, HelperCall& call) {
  const auto kind = static_cast<model::DynptrKind>(arg.size);
  if (step.reg(regno).kind == RegKind::kDynptr) RING3_TRY(check_no_offset(step, step.reg(regno), regno, false));
  if ((arg.flags & model::kArgUninit) != 0) {
    if (call.proto.id == uapi::BPF_FUNC_dynptr_from_mem && step.reg(1).kind != RegKind::kMapValue)
      return step.diag.refuse(Rule::kDynptrSource, {kind_name(step.reg(1))});
    return make_dynptr(step, regno, kind, 0);
  }
  const bool release = (arg.flags & model::kArgRelease) != 0;
  if (release) RING3_TRY(check_owned_dynptr(step, regno));
  call.dynptr = RING3_TRY(use_dynptr(step, regno, kind));
  call.arg_ref = call.dynptr.ref_obj_id;
  if (release) call.released_dynptr = call.dynptr.ref_obj_id;
  return {};
}

Result<void> check_arg(Step& step, unsigned i, HelperCall& call) {
  const ArgSpec& arg = call.proto.args[i];
  const unsigned regno = i + 1;
  if (arg.kind == ArgKind::kNone) return {};
  RING3_TRY(check_read(step, regno));
  if (arg.kind == ArgKind::kAnything) {
    if (leaks_pointer(step, regno)) return step.diag.refuse(Rule::kLeaksIntoHelper, {regno});
    return {};
  }
  const RegState& reg = step.reg(regno);
  if ((arg.flags & model::kArgMaybeNull) != 0 && is_null_constant(reg)) {
    // A null buffer goes with a size of zero, judged at the size.
    return step.search.mark_precise(step.path, regno);
  }
  if (arg.kind == ArgKind::kKptr) {
    call.kptr = RING3_TRY(kptr_slot(step, regno));
    return note_exchange(step, *call.kptr);
  }
  if (arg.kind == ArgKind::kKptrValue) {
    call.released = RING3_TRY(kptr_source(step, regno, *call.kptr));
    return {};
  }
  if (is_socket_value(step, arg, call)) return check_typed_arg(step, regno, {.kind = ArgKind::kBtfSockCommon});
  RING3_TRY(check_kind(step, regno, arg, call.proto));
  if (reg.ref_obj_id != 0) {
    if (call.owned_arg != 0) return step.diag.refuse(Rule::kTwoOwnedArgs, {regno, reg.ref_obj_id, call.owned_arg});
    call.arg_ref = call.owned_arg = reg.ref_obj_id;
  }
  if (arg.kind == ArgKind::kDynptr) return check_dynptr_arg(step, regno, arg, call);
  if ((arg.flags & model::kArgRelease) != 0) {
    if (reg.off != 0) return step.diag.refuse(Rule::kReleaseOffset, {regno});
    RING3_TRY(check_no_offset(step, reg, regno, false));
    call.released = reg.ref_obj_id;
  }
  switch (arg.kind) {
    case ArgKind::kConstMapPtr: return check_map_ptr(step, regno, call);
    case ArgKind::kMapKey:
    case ArgKind::kMapValue: return check_map_memory(step, regno, arg, call);
    case ArgKind::kFixedMem: {
      const bool write = (arg.flags & model::kArgWrite) != 0;
      const bool uninit = (arg.flags & model::kArgUninit) != 0;
      RING3_TRY(check_region(step, regno, arg.size, false, write ? Purpose::kWrite : Purpose::kRead, uninit));
      if ((arg.flags & model::kArgAligned) != 0) {
        const auto fixed = static_cast<std::uint64_t>(std::int64_t{reg.off});
        const Tnum<64> at = reg.val.var_off + Tnum<64>::constant(fixed);
        if (!at.is_aligned(arg.size) && reg.kind == RegKind::kStack)
          return step.diag.refuse(Rule::kMisaligned, {"stack ", tnum_text(reg.val), reg.off, 0, arg.size});
      }
      if (uninit) call.uninit_reg = regno, call.uninit_bytes = arg.size;
      return {};
    }
    case ArgKind::kMemSize:
    case ArgKind::kMemSizeOrZero: {
      const ArgSpec& mem = call.proto.args[i - 1];
      // What may be null may have no bytes. (Linux lets helpers read them.)
      if (step.reg(regno - 1).maybe_null() && umax(reg) != 0) return step.diag.refuse(Rule::kHelperMaybeNull, {regno - 1});
      const bool uninit = (mem.flags & model::kArgUninit) != 0;
      std::uint32_t bytes = 0;
      RING3_TRY(check_sized_memory(step, {regno - 1, regno, arg.kind == ArgKind::kMemSizeOrZero,
                                          (mem.flags & model::kArgWrite) != 0, uninit}, &bytes));
      if (bytes != 0) call.uninit_reg = regno - 1, call.uninit_bytes = bytes;
      call.size_max = umax(step.reg(regno));
      return {};
    }
    case ArgKind::kConstAllocSize: return check_alloc_size(step, regno, call);
    case ArgKind::kConstStr: return check_const_string(step, regno);
    case ArgKind::kTimer: call.timer = RING3_TRY(async_field(step, regno, model::FieldKind::kTimer)); return {};
    case ArgKind::kCallback: call.callback = reg.subprog; return {};
    case ArgKind::kCtx: return check_no_offset(step, reg, regno, false);
    case ArgKind::kPercpuVar: {
      RING3_TRY(check_no_offset(step, reg, regno, false));
      call.percpu = reg;
      const bool object = !is_host_type(step.prog, reg);
      if (object && !reg.has(model::kRcuPtr)) return step.diag.refuse(Rule::kInvalidMemAccess, {regno, kind_name(reg)});
      if (step.first_note(Step::kFactPercpu)) step.facts().percpu_object = object;
      else if (step.facts().percpu_object != object) return step.diag.refuse(Rule::kMixedPointers);
      return {};
    }
    case ArgKind::kSpinLock:
      return call.proto.id == uapi::BPF_FUNC_spin_lock ? take_lock(step, regno) : give_lock(step, regno);
    default: return {};
  }
}

Result<void> check_tail_call(Step& step) {
  if (!step.path.refs.empty()) return step.diag.refuse(Rule::kTailCallLeak);
  RING3_TRY(check_no_section(step, "tail_call"));
  // The one thing rewriting wants to know: the index.
  return {};
}

/// Argument `regno` if it is the same constant on every path to this call; relies on its exact value.
Result<void> note_constant_arg(Step& step, unsigned regno) {
  InsnFacts& facts = step.facts();
  const std::int64_t bit = std::int64_t{1} << (regno - 1);
  const RegState& reg = step.reg(regno);
  const bool first = step.first_note(Step::kFactConstArgs);
  if (!is_const_scalar(reg)) {
    facts.const_args_known &= ~bit;
  } else {
    const auto value = static_cast<std::int64_t>(reg.val.const_value());
    if (first) facts.const_args_known |= bit, facts.const_arg[regno - 1] = value;
    else if (facts.const_arg[regno - 1] != value) facts.const_args_known &= ~bit;
    if ((facts.const_args_known & bit) != 0) RING3_TRY(step.search.mark_precise(step.path, regno));
  }
  return {};
}

Result<void> run_callbacks(Step& step, const HelperCall& call) {
  if ((call.proto.flags & model::kHelperLoops) != 0) {
    RING3_TRY(step.search.mark_precise(step.path, 1));
    FrameState& frame = step.frame();
    if (frame.callback_depth < umax(step.reg(1)))
      RING3_TRY(run_callback(step, {.args = CallbackPlan::Args::kLoop, .subprog = call.callback, .ctx_reg = 3}));
    end_callbacks(frame);
  } else if ((call.proto.flags & model::kHelperForEach) != 0) {
    RING3_TRY(run_callback(step, {.args = CallbackPlan::Args::kMapElement, .subprog = call.callback, .map = call.map,
                                  .map_uid = call.map_uid, .ctx_reg = 3}));
    end_callbacks(step.frame());
  } else if ((call.proto.flags & model::kHelperFindVma) != 0) {
    RING3_TRY(run_callback(step, {.args = CallbackPlan::Args::kVma, .subprog = call.callback, .ctx_reg = 4}));
    end_callbacks(step.frame());
  } else if ((call.proto.flags & model::kHelperDrain) != 0) {
    RING3_TRY(run_callback(step, {.args = CallbackPlan::Args::kDynptr, .subprog = call.callback, .ctx_reg = 3}));
    end_callbacks(step.frame());
  } else if ((call.proto.flags & model::kHelperAsyncCallback) != 0) {
    return schedule_callback(step, call.callback, call.timer, false);
  }
  return {};
}

/// A socket that may be null: acquired, or the same socket under another kind.
Result<void> set_socket(Step& step, const HelperCall& call, RegKind kind) {
  RegState& r0 = step.reg(0);
  set_pointer(r0, kind, model::kMaybeNull);
  if ((call.proto.flags & model::kHelperAcquires) != 0) r0.id = r0.ref_obj_id = acquire_reference(step);
  else r0.id = step.search.new_id();
  if ((call.proto.flags & model::kHelperCasts) != 0) r0.ref_obj_id = call.arg_ref;
  return {};
}

/// Answers with the bytes it wrote, at most the size it was given, or with an error.
bool returns_written_bytes(const HelperProto& proto) {
  switch (proto.id) {
    case uapi::BPF_FUNC_get_stack: case uapi::BPF_FUNC_get_task_stack: case uapi::BPF_FUNC_probe_read_str:
    case uapi::BPF_FUNC_probe_read_kernel_str: case uapi::BPF_FUNC_probe_read_user_str:
      return true;
    default: return false;
  }
}
constexpr std::int64_t kLowestError = -4095;

Result<void> set_result(Step& step, const HelperCall& call) {
  RegState& r0 = step.reg(0);
  r0.written = true;
  const auto maybe_null = [&](RegKind kind, std::uint16_t flags) {
    set_pointer(r0, kind, static_cast<std::uint16_t>(flags | model::kMaybeNull));
    r0.id = step.search.new_id();
  };
  switch (call.proto.ret) {
    case RetKind::kInteger:
      if (returns_written_bytes(call.proto)) set_scalar(r0, Scalar64::of_signed(kLowestError, static_cast<std::int64_t>(call.size_max)));
      else if (call.proto.id == uapi::BPF_FUNC_get_smp_processor_id && step.prog.facts.possible_cpus != 0)
        set_scalar(r0, Scalar64::of_signed(0, std::int64_t{step.prog.facts.possible_cpus} - 1));
      else set_unknown(r0);
      return {};
    case RetKind::kVoid: r0 = RegState{}; return {};
    case RetKind::kMapValueOrNull:
      if (call.map == UINT32_MAX) break;
      maybe_null(RegKind::kMapValue, 0);
      r0.map = call.map;
      r0.btf = call.map_uid;
      // What a map of sockets holds is a socket, and looking it up takes a reference.
      if (call.proto.id == uapi::BPF_FUNC_map_lookup_elem && holds_sockets(*step.prog.maps[call.map]))
        r0.id = r0.ref_obj_id = acquire_reference(step);
      return {};
    case RetKind::kRingbufMemOrNull: {
      // One number is both the reference and what a null test tells apart.
      const std::uint32_t ref = acquire_reference(step);
      set_pointer(r0, RegKind::kMem, model::kRingbufMem | model::kMaybeNull);
      r0.mem_bytes = call.alloc_bytes;
      r0.id = ref;
      r0.ref_obj_id = ref;
      return {};
    }
    case RetKind::kMemOrNull:
      maybe_null(RegKind::kMem, 0);
      r0.mem_bytes = call.alloc_bytes;
      return {};
    case RetKind::kMapValue:
      if (call.map == UINT32_MAX) break;
      set_pointer(r0, RegKind::kMapValue);
      r0.map = call.map;
      r0.btf = call.map_uid;
      return {};
    case RetKind::kDynptrMemOrNull: set_slice(step, call.dynptr, call.alloc_bytes, false); return {};
    case RetKind::kSocketOrNull: return set_socket(step, call, RegKind::kSocket);
    case RetKind::kSockCommonOrNull: return set_socket(step, call, RegKind::kSockCommon);
    case RetKind::kTcpSockOrNull: return set_socket(step, call, RegKind::kTcpSock);
    case RetKind::kHostStructTrusted:
    case RetKind::kHostStruct:
    case RetKind::kHostStructOrNull: {
      const auto& btf = step.prog.facts.host_btf;
      const btf::TypeId type = btf == nullptr ? 0 : btf->find(call.proto.ret_btf, btf::Kind::kStruct);
      if (type == 0) break;
      const bool null = call.proto.ret == RetKind::kHostStructOrNull;
      set_pointer(r0, RegKind::kHostStruct, call.proto.ret == RetKind::kHostStructTrusted ? std::uint16_t{model::kTrusted}
                                            : null ? std::uint16_t{model::kMaybeNull} : std::uint16_t{0});
      r0.btf_type = type;
      r0.btf = 0;
      if (null) r0.id = step.search.new_id();
      if ((call.proto.flags & model::kHelperCasts) != 0) r0.ref_obj_id = call.arg_ref;
      return {};
    }
    case RetKind::kKptrOrNull: set_taken_kptr(step, *call.kptr); return {};
    case RetKind::kMemPercpuOrVar:
    case RetKind::kMemPercpuOrVarOrNull: {
      // This CPU's copy of an object is an object; of a variable, a struct nobody vouches for.
      const bool object = !is_host_type(step.prog, call.percpu);
      const btf::Type* type = step.prog.btf_type(call.percpu.btf, call.percpu.btf_type);
      if (type != nullptr && type->kind != btf::Kind::kStruct && type->kind != btf::Kind::kUnion) {
        if (call.proto.ret == RetKind::kMemPercpuOrVarOrNull) maybe_null(RegKind::kMem, model::kReadOnly);
        else set_pointer(r0, RegKind::kMem, model::kReadOnly);
        r0.mem_bytes = step.prog.btfs[call.percpu.btf]->size_of(call.percpu.btf_type).value_or(0);
        return {};
      }
      const std::uint16_t flags = object ? std::uint16_t{model::kAllocObj | model::kRcuPtr} : std::uint16_t{0};
      if (call.proto.ret == RetKind::kMemPercpuOrVarOrNull) maybe_null(RegKind::kHostStruct, flags);
      else set_pointer(r0, RegKind::kHostStruct, flags);
      r0.btf = call.percpu.btf;
      r0.btf_type = call.percpu.btf_type;
      return {};
    }
    default: break;
  }
  return step.diag.refuse(Rule::kNotSupported, {"the result of this helper"});
}

bool gets_storage(std::uint32_t id) {
  return id == uapi::BPF_FUNC_task_storage_get || id == uapi::BPF_FUNC_sk_storage_get ||
         id == uapi::BPF_FUNC_inode_storage_get || id == uapi::BPF_FUNC_cgrp_storage_get;
}

bool touches_percpu(const Program& prog, const HelperCall& call) {
  if ((call.proto.flags & model::kHelperPercpu) != 0) return true;
  if (call.map == UINT32_MAX) return false;
  const std::uint32_t type = prog.maps[call.map]->type;
  return type == uapi::BPF_MAP_TYPE_PERCPU_ARRAY || type == uapi::BPF_MAP_TYPE_PERCPU_HASH ||
         type == uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH || type == uapi::BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

/// A dynptr may turn out to be a packet whose memory moves when it is written: that of a socket buffer does.
bool changes_packet(const HelperCall& call) {
  if ((call.proto.flags & model::kHelperChangesPacket) != 0) return true;
  const bool buffer = call.dynptr.kind == model::kDynptrSkb || call.dynptr.kind == model::kDynptrAny;
  return (call.proto.flags & model::kHelperMaybeChangesPacket) != 0 && buffer;
}

/// The one callback that all paths pass.
void note_callback(Step& step, std::uint32_t callback) {
  if (callback == UINT32_MAX) return;
  std::uint32_t& noted = step.facts().callee;
  if (step.first_note(Step::kFactCallback)) noted = callback;
  else if (noted != callback) noted = UINT32_MAX;
}

}  // namespace

Result<void> call_helper(Step& step) {
  const auto id = static_cast<std::uint32_t>(step.insn().imm);
  const HelperProto* proto = model::helper_signature(id, step.prog.view());
  RING3_TRY(check_available(step, proto, id));
  HelperCall call{*proto};
  for (unsigned i = 0; i < 5; ++i) RING3_TRY(check_arg(step, i, call));
  if ((proto->flags & model::kHelperTailCall) != 0) {
    // Linux notes the key of the call before it compares map and helper: these are its words.
    if (call.map == UINT32_MAX || step.prog.maps[call.map]->type != uapi::BPF_MAP_TYPE_PROG_ARRAY)
      return step.diag.refuse(Rule::kTailCallMap);
    RING3_TRY(check_tail_call(step));
    RING3_TRY(note_constant_arg(step, 3));
    RING3_TRY(walk_early_end(step, EarlyEnd::kTailCall));
  }
  if (call.map != UINT32_MAX) RING3_TRY(check_map_for_helper(step, *step.prog.maps[call.map], *proto));
  if (id == uapi::BPF_FUNC_get_local_storage && !is_null_constant(step.reg(2))) return step.diag.refuse(Rule::kLocalStorageFlags);
  if (gets_storage(id) && call.map != UINT32_MAX) RING3_TRY(check_storage_ring(step, call.map, 2));
  if ((proto->flags & model::kHelperLoops) != 0) RING3_TRY(note_constant_arg(step, 4));
  note_callback(step, call.callback);
  RING3_TRY(run_callbacks(step, call));
  if (call.uninit_bytes != 0) mark_region_written(step, step.reg(call.uninit_reg), call.uninit_bytes);
  const auto give = call.kptr != nullptr ? store_reference : release_reference;
  if (call.released != 0 && !give(step, call.released))
    return step.diag.refuse(Rule::kReleaseNotOwned, {call.released});
  if (call.released_dynptr != 0) RING3_TRY(release_dynptr(step, call.released_dynptr));
  step.out.touches_percpu |= touches_percpu(step.prog, call);
  step.out.may_sleep |= (proto->flags & model::kHelperMaySleep) != 0;
  if (changes_packet(call)) {
    forget_packet_pointers(step.prog, step.path);
    step.out.changes_packet = true;
  }
  forget_caller_saved(step);
  RING3_TRY(set_result(step, call));
  step.path.insn_idx = step.idx + 1;
  return {};
}

}  // namespace ring3::verifier
