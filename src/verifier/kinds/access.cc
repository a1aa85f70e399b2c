#include "verifier/kinds/access.h"

#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/arena.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

namespace {

using model::AccessKind;
using model::DerefRule;

/// Packets begin two bytes behind a word, so that what follows the Ethernet header is aligned.
constexpr std::int64_t kPacketAlignment = 2;

/// Stack accesses are always aligned; other memory only when the program asked for it.
Result<void> check_alignment(Step& step, const Access& access) {
  const RegState& reg = step.reg(access.base);
  if (reg.kind == RegKind::kArena) return {};
  const bool strict = reg.kind == RegKind::kStack || access.atomic || step.prog.strict_alignment;
  if (!strict || access.size == 1) return {};
  const bool packet = reg.kind == RegKind::kPacket || reg.kind == RegKind::kPacketMeta;
  const auto fixed = static_cast<std::uint64_t>(std::int64_t{reg.off} + access.off + (packet ? kPacketAlignment : 0));
  const Tnum<64> address = reg.val.var_off + Tnum<64>::constant(fixed);
  if (address.is_aligned(access.size)) return {};
  if (packet)
    return step.diag.refuse(Rule::kMisaligned, {"packet ", std::to_string(kPacketAlignment) + "+" + tnum_text(reg.val),
                                                reg.off, access.off, access.size});
  const char* what = reg.kind == RegKind::kStack      ? "stack "
                     : reg.kind == RegKind::kMapValue ? "value "
                     : reg.kind == RegKind::kCtx      ? "context "
                                                      : "";
  return step.diag.refuse(Rule::kMisaligned, {what, tnum_text(reg.val), reg.off, access.off, access.size});
}

/// Where an address would become visible.
const char* leak_target(RegKind kind) {
  switch (kind) {
    case RegKind::kMapValue: return "map";
    case RegKind::kCtx: return "ctx";
    case RegKind::kPacket:
    case RegKind::kPacketMeta: return "packet";
    case RegKind::kFlowKeys: return "flow keys";
    default: return "mem";
  }
}

AccessKind access_kind(const RegState& reg) {
  switch (reg.kind) {
    case RegKind::kStack: return AccessKind::kStack;
    case RegKind::kCtx: return AccessKind::kCtx;
    case RegKind::kMapValue: return AccessKind::kMapValue;
    case RegKind::kPacket:
    case RegKind::kPacketMeta: return AccessKind::kPacket;
    case RegKind::kSocket:
    case RegKind::kSockCommon:
    case RegKind::kTcpSock:
    case RegKind::kXdpSock: return AccessKind::kSocket;
    case RegKind::kHostStruct: {
      const bool valid =
          (reg.has(model::kTrusted | model::kRcuPtr | model::kNonOwning) || reg.ref_obj_id != 0) && !reg.has(model::kUntrusted);
      return valid ? AccessKind::kHostStruct : AccessKind::kUntrusted;
    }
    case RegKind::kArena: return AccessKind::kArena;
    default: return AccessKind::kMem;
  }
}

}  // namespace

Result<void> note_access(Step& step, AccessKind kind) {
  AccessKind& noted = step.facts().access;
  if (noted == AccessKind::kNone || noted == kind) {
    noted = kind;
    return {};
  }
  // A load that is direct on one path and may fault on another may fault.
  const auto host = [](AccessKind k) { return k == AccessKind::kHostStruct || k == AccessKind::kUntrusted; };
  if (host(noted) && host(kind)) {
    noted = AccessKind::kUntrusted;
    return {};
  }
  // Plain memory is all the same to what runs; contexts, sockets, arenas and faulting loads are rewritten.
  const auto rewritten = [&](AccessKind k) {
    return host(k) || k == AccessKind::kCtx || k == AccessKind::kSocket || k == AccessKind::kArena;
  };
  if (rewritten(noted) || rewritten(kind)) return step.diag.refuse(Rule::kMixedPointers);
  noted = AccessKind::kMem;
  return {};
}

void load_unknown(Step& step, const Access& access) {
  if (access.value == kNoReg) return;
  set_scalar(step.reg(static_cast<unsigned>(access.value)), loaded(access.size, access.sign_extend));
}

Result<void> check_no_offset(Step& step, const RegState& reg, unsigned regno, bool fixed_ok) {
  const std::string kind = kind_name(reg);
  if (reg.off < 0) return step.diag.refuse(Rule::kNegativeOffset, {kind, regno, reg.off});
  if (!fixed_ok && reg.off != 0) return step.diag.refuse(Rule::kModifiedPointer, {kind, regno, reg.off});
  if (!reg.val.is_const(0)) return step.diag.refuse(Rule::kVariableAccess, {kind, tnum_text(reg.val)});
  return {};
}

namespace {

/// Which object an offset fell out of, in the words of its kind.
Errno refuse_bounds(Step& step, unsigned regno, std::int64_t off, std::uint32_t size, std::uint32_t bytes,
                    const Rule* also) {
  const RegState& reg = step.reg(regno);
  const auto say = [&](Rule rule, std::initializer_list<Arg> args) {
    if (also == nullptr) return step.diag.refuse(rule, args);
    step.diag.explain(rule, args);
    return step.diag.refuse(*also, {regno});
  };
  switch (reg.kind) {
    case RegKind::kMapKey: return say(Rule::kMapKeyBounds, {bytes, off, size});
    case RegKind::kMapValue: return say(Rule::kMapValueBounds, {bytes, off, size});
    case RegKind::kPacket:
    case RegKind::kPacketMeta:
      return say(Rule::kPacketBounds, {off, size, regno, reg.id, off, bytes});
    default: return say(Rule::kMemoryBounds, {bytes, off, size});
  }
}

bool fits(std::int64_t off, std::uint32_t size, std::uint32_t bytes, bool zero_ok) {
  return off >= 0 && (size > 0 || zero_ok) && off + std::int64_t{size} <= std::int64_t{bytes};
}

}  // namespace

Result<void> check_object_bounds(Step& step, unsigned regno, std::int32_t off, std::uint32_t size, std::uint32_t bytes,
                                 bool zero_ok) {
  const RegState& reg = step.reg(regno);
  if (smin(reg) < 0 && (smin(reg) == INT64_MIN || smin(reg) <= -kMaxVarOff || smin(reg) + off < 0))
    return step.diag.refuse(Rule::kMinNegative, {regno});
  const Rule below = Rule::kMinOutside, above = Rule::kMaxOutside;
  if (!fits(smin(reg) + off, size, bytes, zero_ok))
    return refuse_bounds(step, regno, smin(reg) + off, size, bytes, &below);
  if (umax(reg) >= static_cast<std::uint64_t>(kMaxVarOff)) return step.diag.refuse(Rule::kUnboundedMemory, {regno});
  const std::int64_t top = static_cast<std::int64_t>(umax(reg)) + off;
  if (!fits(top, size, bytes, zero_ok)) return refuse_bounds(step, regno, top, size, bytes, &above);
  return {};
}

namespace {

/// The buffer of a writable raw tracepoint: how long it is, only its attach point knows.
Result<void> access_tp_buffer(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  if (off < 0) return step.diag.refuse(Rule::kTpBufferBounds, {access.base, off, access.size});
  if (!reg.val.is_const(0)) return step.diag.refuse(Rule::kTpBufferVariable, {access.base, off, tnum_text(reg.val)});
  step.out.not_runnable = "the buffer of a writable tracepoint";
  if (!access.write) load_unknown(step, access);
  return {};
}

}  // namespace

Result<void> check_access(Step& step, const Access& access) {
  const RegState& reg = step.reg(access.base);
  RING3_TRY(check_alignment(step, access));
  const std::int64_t sum = std::int64_t{reg.off} + access.off;
  const auto off = static_cast<std::int32_t>(sum);
  if (reg.kind == RegKind::kTpBuffer && !reg.maybe_null()) {
    if (access.write && access.value != kNoReg && leaks_pointer(step, static_cast<unsigned>(access.value)))
      return step.diag.refuse(Rule::kLeaksIntoMem, {access.value, leak_target(reg.kind)});
    RING3_TRY(note_access(step, AccessKind::kMem));
    return access_tp_buffer(step, access, off);
  }
  if (reg.maybe_null() || reg.has(model::kUserMem) || model::kind_row(reg.kind).deref == DerefRule::kNever)
    return step.diag.refuse(Rule::kInvalidMemAccess, {access.base, kind_name(reg)});
  if (reg.kind == RegKind::kMapPtr && !step.prog.allow_host_fields) return step.diag.refuse(Rule::kStructNeedsRights, {"bpf_map"});
  if (access.write && access.value != kNoReg && leaks_pointer(step, static_cast<unsigned>(access.value)) &&
      reg.kind != RegKind::kStack)
    return step.diag.refuse(Rule::kLeaksIntoMem, {access.value, leak_target(reg.kind)});
  if (reg.kind == RegKind::kMapPtr) return access_map_fields(step, access, off);
  RING3_TRY(note_access(step, access_kind(reg)));
  switch (model::kind_row(reg.kind).deref) {
    case DerefRule::kCtx: return access_ctx(step, access, off);
    case DerefRule::kMapValue: return access_map_value(step, access, off);
    case DerefRule::kSized: return access_sized(step, access, off);
    case DerefRule::kStack: return access_stack(step, access, off);
    case DerefRule::kPacket: return access_packet(step, access, off);
    case DerefRule::kHostStruct: return access_host_struct(step, access, off);
    case DerefRule::kSock: return access_sock(step, access, off);
    case DerefRule::kFlowKeys: return access_flow_keys(step, access, off);
    case DerefRule::kArena: return access_arena(step, access);
    case DerefRule::kMapPtr: return access_map_fields(step, access, off);
    case DerefRule::kNever: break;
  }
  return step.diag.refuse(Rule::kInvalidMemAccess, {access.base, kind_name(reg)});
}

Result<void> access_sized(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  if (reg.kind == RegKind::kBuf) return access_buffer(step, access, off);
  if (access.write && (reg.has(model::kReadOnly) || reg.kind == RegKind::kMapKey))
    return step.diag.refuse(Rule::kReadOnlyMem, {access.base, kind_name(reg)});
  const std::uint32_t bytes = reg.kind == RegKind::kMapKey ? step.prog.maps[reg.map]->key_size : reg.mem_bytes;
  RING3_TRY(check_object_bounds(step, access.base, off, access.size, bytes, false));
  if (reg.lent_stack()) RING3_TRY(touch_lent_stack(step, reg, off, access.size, access.write));
  if (!access.write) load_unknown(step, access);
  return {};
}

Result<void> access_packet(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  const std::uint16_t flags = step.prog.kind->flags;
  if (access.write && (flags & model::kProgPacketWrite) == 0) return step.diag.refuse(Rule::kPacketWrite);
  // The variable part is the same for all pointers of one id, and `range` counts from where it points.
  if (smin(reg) < 0) return step.diag.refuse(Rule::kMinNegative, {access.base});
  const std::uint32_t range = reg.range < 0 ? 0 : static_cast<std::uint32_t>(reg.range);
  if (!fits(off, access.size, range, false)) {
    const Rule outside = Rule::kPacketOutside;
    return refuse_bounds(step, access.base, off, access.size, range, &outside);
  }
  if (!access.write) load_unknown(step, access);
  return {};
}

Result<void> check_region(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, Purpose purpose, bool uninit) {
  const RegState& reg = step.reg(regno);
  const bool write = purpose != Purpose::kRead;
  switch (reg.kind) {
    case RegKind::kStack: return region_on_stack(step, regno, size, zero_ok, purpose, uninit);
    case RegKind::kMapValue: return region_in_map_value(step, regno, size, zero_ok, purpose);
    case RegKind::kMapKey:
      if (write) return step.diag.refuse(Rule::kReadOnlyMem, {regno, kind_name(reg)});
      return check_object_bounds(step, regno, reg.off, size, step.prog.maps[reg.map]->key_size, zero_ok);
    case RegKind::kMem:
      if (write && reg.has(model::kReadOnly)) return step.diag.refuse(Rule::kReadOnlyMem, {regno, kind_name(reg)});
      RING3_TRY(check_object_bounds(step, regno, reg.off, size, reg.mem_bytes, zero_ok));
      return reg.lent_stack() ? touch_lent_stack(step, reg, reg.off, size, write) : Result<void>{};
    case RegKind::kBuf:
      if (write && reg.has(model::kReadOnly)) return step.diag.refuse(Rule::kReadOnlyMem, {regno, kind_name(reg)});
      return touch_buffer(step, regno, reg.off, size);
    case RegKind::kPacket:
    case RegKind::kPacketMeta: {
      if (write && (step.prog.kind->flags & model::kProgPacketWrite) == 0) return step.diag.refuse(Rule::kPacketWrite);
      if (smin(reg) < 0) return step.diag.refuse(Rule::kMinNegative, {regno});
      const std::uint32_t range = reg.range < 0 ? 0 : static_cast<std::uint32_t>(reg.range);
      if (fits(reg.off, size, range, zero_ok)) return {};
      const Rule outside = Rule::kPacketOutside;
      return refuse_bounds(step, regno, reg.off, size, range, &outside);
    }
    case RegKind::kCtx: return region_in_ctx(step, regno, size, zero_ok, write);
    case RegKind::kHostStruct:
      if (reg.flags == model::kTrusted && !write) return region_in_host_struct(step, regno, size, zero_ok);
      [[fallthrough]];
    default:
      if (zero_ok && size == 0 && is_null_constant(reg)) return {};
      return step.diag.refuse(Rule::kRegType, {regno, kind_name(reg), "fp, pkt, pkt_meta, map_key, map_value, mem"});
  }
}

}  // namespace ring3::verifier
