// Conditional jumps: what each outcome teaches, and whether both have to be walked.
//
// A jump whose outcome the operands decide is walked one way; the decision relied on their exact bounds, so
// they become precise. Otherwise the taken side is put aside (forked) and the fall-through goes on.
#include "uapi/bpf.h"
#include "verifier/call/call.h"
#include "verifier/domain/scalar_branch.h"
#include "verifier/kinds/object.h"
#include "verifier/transfer/packet_range.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/speculation.h"
#include "verifier/transfer/transfer.h"

namespace ring3::verifier {
namespace {

using isa::Op;

bool is_packet_kind(const RegState& reg) {
  return reg.kind == RegKind::kPacket || reg.kind == RegKind::kPacketMeta || reg.kind == RegKind::kPacketEnd;
}

/// Pointers that are surely not null: what their kind promises. (Of contexts and stack Linux does not use it: both
/// sides of a test are walked.)
bool is_never_null(const RegState& reg) {
  if (!reg.is_pointer() || reg.maybe_null()) return false;
  switch (reg.kind) {
    case RegKind::kMapPtr: case RegKind::kMapValue: case RegKind::kMapKey: case RegKind::kMem:
    case RegKind::kSocket: case RegKind::kSockCommon: case RegKind::kTcpSock: case RegKind::kXdpSock:
      return !reg.has(model::kUntrusted);
    case RegKind::kHostStruct:
      return !reg.has(model::kUntrusted) && (reg.ref_obj_id != 0 || reg.has(model::kTrusted));
    default: return false;
  }
}

struct Operands {
  RegState* dst;
  RegState* src;
};

/// The outcome, if the operands decide it.
Taken decide(Step& step, const Operands& o) {
  const isa::Insn& insn = step.insn();
  const Half half = half_of(insn);
  if (o.dst->is_scalar() && o.src->is_scalar()) return branch_taken(insn.op, half, o.dst->val, o.src->val);
  if (insn.src_is_reg && is_packet_kind(*o.dst) && is_packet_kind(*o.src)) return decide_packet_range(insn, *o.dst, *o.src);
  // A pointer known not to be null against zero.
  if (o.dst->is_pointer() && is_null_constant(*o.src) && half == Half::kFull && is_never_null(*o.dst)) {
    if (insn.op == Op::kJeq) return Taken::kNever;
    if (insn.op == Op::kJne) return Taken::kAlways;
  }
  return Taken::kUnknown;
}

Result<void> rely_on(Step& step, const Operands& o) {
  const isa::Insn& insn = step.insn();
  if (o.dst->is_scalar()) RING3_TRY(step.search.mark_precise(step.path, insn.dst));
  if (insn.src_is_reg && o.src->is_scalar()) RING3_TRY(step.search.mark_precise(step.path, insn.src));
  return {};
}

/// Narrows the scalars of one side. False: the side cannot be reached.
bool narrow(PathState& path, const isa::Insn& insn, bool taken, const LinkedValues& together) {
  RegState& dst = path.reg(insn.dst);
  if (!insn.src_is_reg) {
    if (!dst.is_scalar()) return true;
    if (!refine(insn.op, taken, half_of(insn), dst.val, static_cast<std::uint64_t>(insn.imm))) return false;
    sync_linked(path, dst, together);
    return true;
  }
  RegState& src = path.reg(insn.src);
  if (!dst.is_scalar() || !src.is_scalar() || insn.dst == insn.src) return true;
  if (!refine(insn.op, taken, half_of(insn), dst.val, src.val)) return false;
  sync_linked(path, dst, together);
  sync_linked(path, src, together);
  return true;
}

bool is_null_test(const isa::Insn& insn, const Operands& o) {
  return insn.bits == 64 && (insn.op == Op::kJeq || insn.op == Op::kJne) && o.dst->maybe_null() &&
         !insn.src_is_reg && insn.imm == 0;
}

/// p == q with q never null: p is not null on the equal side.
void learn_from_equal_pointers(Step& step, const isa::Insn& insn, PathState& equal_side) {
  if (!insn.src_is_reg || insn.bits != 64) return;
  const RegState& a = equal_side.reg(insn.dst);
  const RegState& b = equal_side.reg(insn.src);
  if (!a.is_pointer() || !b.is_pointer() || a.kind == RegKind::kHostStruct || b.kind == RegKind::kHostStruct) return;
  if (a.maybe_null() && is_never_null(b)) learn_null_test(step.prog, equal_side, a.id, false);
  else if (b.maybe_null() && is_never_null(a)) learn_null_test(step.prog, equal_side, b.id, false);
}

void note_direction(Step& step, bool taken) {
  InsnFacts& facts = step.facts();
  if (taken) facts.branch_never = false;
  else facts.branch_always = false;
}

void go(Step& step, std::uint32_t target) { step.path.insn_idx = target; }

Result<void> walk_both(Step& step, const Operands& o) {
  const isa::Insn& insn = step.insn();
  const std::uint32_t target = static_cast<std::uint32_t>(std::int64_t{step.idx} + 1 + insn.jump);
  LinkedValues together;
  if (insn.src_is_reg && o.src->is_scalar() && o.src->id != 0) collect_linked(step.path, o.src->id, together);
  const bool same = insn.src_is_reg && o.src->is_scalar() && o.src->id == o.dst->id;
  if (o.dst->is_scalar() && o.dst->id != 0 && !same) collect_linked(step.path, o.dst->id, together);
  if (together.size() > 1) step.entry->linked = together;

  const bool null_test = is_null_test(insn, o);
  const std::uint32_t null_id = o.dst->id;
  const bool packet_test = insn.src_is_reg && tests_packet_range(insn, *o.dst, *o.src);
  if (!packet_test && !null_test && leaks_pointer(step, insn.dst))
    return step.diag.refuse(Rule::kPointerComparison, {insn.dst});
  PathState* other = step.search.fork(step.path, target, step.idx);
  if (other == nullptr) return Errno::kTooBig;
  const bool taken_possible = narrow(*other, insn, true, together);
  const bool fall_possible = narrow(step.path, insn, false, together);
  // branch_taken() left both open, but refine() may still find one side empty. Dropping it relies on the
  // exact bounds of both operands.
  if (!taken_possible || !fall_possible) RING3_TRY(rely_on(step, o));
  other->dead = !taken_possible;
  step.path.dead = !fall_possible;
  if (step.prog.follow_wrong_guesses) {
    if (other->dead) make_wrong_guess(insn, *other);
    if (step.path.dead) make_wrong_guess(insn, step.path);
  }
  if (null_test) {
    learn_null_test(step.prog, *other, null_id, insn.op == Op::kJeq);
    learn_null_test(step.prog, step.path, null_id, insn.op == Op::kJne);
  } else if (insn.op == Op::kJeq) {
    learn_from_equal_pointers(step, insn, *other);
  } else if (insn.op == Op::kJne) {
    learn_from_equal_pointers(step, insn, step.path);
  }
  if (packet_test) learn_packet_range(insn, step.path, *other);
  note_direction(step, true);
  note_direction(step, false);
  go(step, step.idx + 1);
  return {};
}

}  // namespace

Result<void> transfer_branch(Step& step) {
  const isa::Insn& insn = step.insn();
  const std::uint32_t target = static_cast<std::uint32_t>(std::int64_t{step.idx} + 1 + insn.jump);
  RegState imm;
  if (insn.src_is_reg) RING3_TRY(check_read(step, insn.src));
  else set_constant(imm, static_cast<std::uint64_t>(insn.imm));
  RING3_TRY(check_read(step, insn.dst));
  const Operands o{&step.reg(insn.dst), insn.src_is_reg ? &step.reg(insn.src) : &imm};
  step.entry->dst_on_stack = o.dst->kind == RegKind::kStack;
  step.entry->src_on_stack = o.src->kind == RegKind::kStack;
  if (insn.src_is_reg && !(is_packet_kind(*o.dst) && is_packet_kind(*o.src)) && leaks_pointer(step, insn.src))
    return step.diag.refuse(Rule::kPointerComparison, {insn.src});
  const Taken taken = decide(step, o);
  if (taken == Taken::kUnknown) return walk_both(step, o);
  RING3_TRY(rely_on(step, o));
  RING3_TRY(walk_wrong_guess(step, taken == Taken::kAlways ? step.idx + 1 : target));
  note_direction(step, taken == Taken::kAlways);
  go(step, taken == Taken::kAlways ? target : step.idx + 1);
  return {};
}

Result<void> transfer_may_goto(Step& step) {
  PathState* on = step.search.fork(step.path, step.idx + 1, step.idx);
  if (on == nullptr) return Errno::kTooBig;
  ++on->frame().may_gotos.steps;
  if (const PathState* before = step.search.previous_visit(step.path, step.idx, true)) widen_imprecise(*before, *on);
  note_direction(step, true);
  note_direction(step, false);
  go(step, static_cast<std::uint32_t>(std::int64_t{step.idx} + 1 + step.insn().jump));
  return {};
}

void mark_not_null(Program& prog, RegState& reg) {
  reg.flags = static_cast<std::uint16_t>(reg.flags & ~model::kMaybeNull);
  if (reg.kind == RegKind::kMapValue) {
    // An element of a map of maps is a map.
    const model::MapFacts& map = *prog.maps[reg.map];
    if (map.type == uapi::BPF_MAP_TYPE_XSKMAP) reg.kind = RegKind::kXdpSock, reg.map = 0;
    else if (map.type == uapi::BPF_MAP_TYPE_SOCKMAP || map.type == uapi::BPF_MAP_TYPE_SOCKHASH) reg.kind = RegKind::kSocket, reg.map = 0;
    if (map.inner != nullptr) {
      const std::uint32_t uid = reg.id;
      for (std::uint32_t i = 0; i < prog.maps.size(); ++i) {
        if (prog.maps[i] != map.inner.get()) continue;
        reg.kind = RegKind::kMapPtr;
        reg.map = i;
        reg.btf = uid;
        break;
      }
    }
  }
}

void learn_null_test(Program& prog, PathState& path, std::uint32_t id, bool is_null) {
  if (id == 0) return;
  std::uint32_t released = 0;
  path.for_each_reg([&](RegState& reg) {
    if (!reg.maybe_null() || reg.id != id) return;
    if (is_null) {
      if (reg.ref_obj_id != 0 && reg.ref_obj_id == id) released = reg.ref_obj_id;
      set_constant(reg, 0);
      return;
    }
    mark_not_null(prog, reg);
    // The id has served; references and packet-like families keep theirs elsewhere.
    if (!may_hold_lock(prog, reg)) reg.id = 0;
  });
  // A null result of an acquiring call owns nothing.
  if (released != 0)
    std::erase_if(path.refs, [released](const Reference& r) { return r.id == released; });
}

}  // namespace ring3::verifier
