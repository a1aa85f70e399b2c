// Compilers that know a call to be "fast" keep values in r1 … r5 across it, and only spill them around it for hosts that know
// no better:
//
//   *(u64 *)(r10 -16) = r1
//   *(u64 *)(r10 -8) = r2       spills, the lowest place nearest to the call
//   call fast
//   r2 = *(u64 *)(r10 -8)       fills, mirrored
//   r1 = *(u64 *)(r10 -16)
//
// Where the places are the function's lowest and nothing else touches them, Linux drops these instructions and the stack they
// take. Here the calls run as calls, with their spills; what follows Linux is what is counted and shown: the stack that
// limits and statistics see, and the instructions a client reads back (rewrite/shown.cc).
//
// Soundness: the walk takes spills, call and fills as they stand, so nothing rests on the pattern but the sum of stack bytes. A
// function's patterns hide at most five slots of it.
#include <algorithm>

#include "model/helper.h"
#include "model/kernel_kfuncs.h"
#include "model/kfunc_args.h"
#include "uapi/bpf.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

using isa::Op;

constexpr std::uint16_t kCallerSaved = 0x3f;  // r0 … r5
constexpr std::int32_t kSlot = 8;
constexpr unsigned kMostSpills = 6;

struct FastCall {
  std::uint16_t kept = 0;  // caller-saved registers the call leaves alone
  bool inlined = false;    // Linux puts instructions in its place
};

std::uint16_t clobbered(std::size_t args, bool returns) {
  return static_cast<std::uint16_t>((((1u << args) - 1) << 1) | (returns ? 1u : 0u));
}

FastCall fast_call(Program& prog, const isa::Insn& call) {
  if (call.op == Op::kCallHelper) {
    const model::HelperProto* proto = model::helper_signature(static_cast<std::uint32_t>(call.imm), prog.view());
    if (proto == nullptr) return {};
    std::size_t args = 0;
    while (args < 5 && proto->args[args].kind != model::ArgKind::kNone) ++args;
    const std::uint16_t lost = clobbered(args, proto->ret != model::RetKind::kVoid);
    const bool inlined = (proto->flags & model::kHelperFastcall) != 0 && proto->id == uapi::BPF_FUNC_get_smp_processor_id;
    return {static_cast<std::uint16_t>(kCallerSaved & ~lost), inlined};
  }
  if (call.op != Op::kCallKfunc) return {};
  std::uint32_t index = 0;
  const model::Kfunc* kfunc = prog.find_kfunc(call, index);
  if (kfunc == nullptr) return {};
  const model::KfuncProto proto = model::describe_kfunc(*kfunc, prog.kind->ctx_struct);
  const model::KfuncSpecial special = prog.special_of(index);
  const bool cast = special == model::KfuncSpecial::kCastToKernCtx || special == model::KfuncSpecial::kRdonlyCast;
  const std::uint16_t lost = clobbered(std::min<std::size_t>(proto.args.size(), 5), proto.ret != model::KfuncRet::kVoid || cast);
  return {static_cast<std::uint16_t>(kCallerSaved & ~lost), cast};
}

bool is_spill(const isa::Insn& insn) {
  return insn.op == Op::kStore && insn.size == 8 && insn.src_is_reg && insn.dst == isa::kFrameReg;
}
bool is_fill(const isa::Insn& insn) { return insn.op == Op::kLoad && insn.size == 8 && insn.src == isa::kFrameReg; }

std::int32_t lowest_spill(const Program& prog, const SubprogInfo& sub) {
  std::int32_t lowest = 0;
  for (std::uint32_t i = sub.start; i < sub.end; ++i)
    if (is_spill(prog.insn(i))) lowest = std::min<std::int32_t>(lowest, prog.insn(i).off);
  return lowest;
}

/// Pairs around the call at idx whose places begin at `lowest`.
unsigned count_pairs(const Program& prog, const SubprogInfo& sub, std::uint32_t idx, std::int32_t lowest, std::uint16_t kept) {
  unsigned pairs = 0;
  while (pairs < kMostSpills && idx >= sub.start + pairs + 1 && idx + pairs + 1 < sub.end) {
    const isa::Insn& spill = prog.insn(idx - pairs - 1);
    const isa::Insn& fill = prog.insn(idx + pairs + 1);
    const std::int32_t off = lowest + static_cast<std::int32_t>(pairs) * kSlot;
    if (!is_spill(spill) || !is_fill(fill) || spill.src != fill.dst || spill.off != off || fill.off != off) break;
    if ((kept >> spill.src & 1) == 0) break;
    kept = static_cast<std::uint16_t>(kept & ~(1u << spill.src));
    ++pairs;
  }
  return pairs;
}

void find_in(Program& prog, SubprogInfo& sub) {
  const std::int32_t lowest = lowest_spill(prog, sub);
  if (lowest == 0) return;
  for (std::uint32_t i = sub.start; i < sub.end; ++i) {
    const FastCall call = fast_call(prog, prog.insn(i));
    const unsigned pairs = call.kept == 0 ? 0 : count_pairs(prog, sub, i, lowest, call.kept);
    if (pairs == 0) continue;
    for (unsigned p = 1; p <= pairs; ++p) prog.marks[i - p] |= kMarkFastcall, prog.marks[i + p] |= kMarkFastcall;
    const std::int32_t above = lowest + static_cast<std::int32_t>(pairs) * kSlot;
    sub.fastcall_off = sub.has_fastcall ? std::min(sub.fastcall_off, above) : above;
    sub.has_fastcall = true;
    if (call.inlined) prog.fastcall_pairs[i] = static_cast<std::uint8_t>(pairs);
    else sub.keeps_fastcall_stack = true;
  }
}

}  // namespace

void find_fastcalls(Program& prog) {
  prog.fastcall_pairs.assign(prog.size(), 0);
  for (SubprogInfo& sub : prog.subprogs) find_in(prog, sub);
}

void note_stack_use(Program& prog, std::uint32_t subprog, std::uint32_t idx, std::int64_t lowest) {
  SubprogInfo& sub = prog.subprogs[subprog];
  if (!sub.has_fastcall || lowest >= sub.fastcall_off || prog.marked(idx, kMarkFastcall)) return;
  // Something else looks at those places: they stay.
  sub.has_fastcall = false;
  for (std::uint32_t i = sub.start; i < sub.end; ++i) {
    prog.marks[i] = static_cast<std::uint8_t>(prog.marks[i] & ~kMarkFastcall);
    prog.fastcall_pairs[i] = 0;
  }
}

std::uint32_t counted_stack_bytes(const Program& prog, const SubprogInfo& sub) {
  if (!sub.has_fastcall || sub.keeps_fastcall_stack) return sub.stack_bytes;
  const bool drops = std::any_of(prog.fastcall_pairs.begin() + sub.start, prog.fastcall_pairs.begin() + sub.end,
                                 [](std::uint8_t pairs) { return pairs != 0; });
  return drops ? std::min(sub.stack_bytes, static_cast<std::uint32_t>(-sub.fastcall_off)) : sub.stack_bytes;
}

}  // namespace ring3::verifier
