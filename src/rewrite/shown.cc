#include "rewrite/shown.h"

#include "isa/encode.h"
#include "model/kernel_kfuncs.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;
using isa::RawInsn;

constexpr std::uint8_t kHidden = 11;  // r11: no client may name it
constexpr std::int32_t kBudget = 8 * 1024 * 1024;
constexpr std::int16_t kPerCpu = -1;  // off of a move that makes a per-CPU address of a number

// Opcodes by their ABI parts, for the few forms that are put in.
constexpr std::uint8_t kAlu64 = 0x07, kAlu32 = 0x04, kJmp = 0x05, kJmp32 = 0x06, kReg = 0x08;
constexpr std::uint8_t kAdd = 0x00, kSub = 0x10, kNeg = 0x80, kXor = 0xa0, kMov = 0xb0;
constexpr std::uint8_t kJa = 0x00, kJeq = 0x10, kJgt = 0x20, kJge = 0x30, kJne = 0x50, kJle = 0xb0;
constexpr std::uint8_t kLoadWide = 0x18, kLoadWord = 0x61, kLoadDouble = 0x79, kStoreDouble = 0x7b, kStoreConstant = 0x7a, kCall = 0x85;

constexpr RawInsn raw(int code, std::uint8_t dst, std::uint8_t src, std::int32_t off, std::int32_t imm) {
  return {static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(dst & 0xf), static_cast<std::uint8_t>(src & 0xf),
          static_cast<std::int16_t>(off), imm};
}
constexpr std::uint8_t alu(bool wide) { return wide ? kAlu64 : kAlu32; }
constexpr RawInsn move(bool wide, std::uint8_t dst, std::uint8_t src) { return raw(alu(wide) | kMov | kReg, dst, src, 0, 0); }
constexpr RawInsn set(bool wide, std::uint8_t dst, std::int32_t imm) { return raw(alu(wide) | kMov, dst, 0, 0, imm); }
constexpr RawInsn go(std::int32_t off) { return raw(kJmp | kJa, 0, 0, off, 0); }
constexpr RawInsn jump(bool wide, int op, std::uint8_t dst, std::int32_t imm, std::int32_t off) {
  return raw((wide ? kJmp : kJmp32) | op, dst, 0, off, imm);
}
constexpr RawInsn load(std::uint8_t dst, std::int32_t at) { return raw(kLoadDouble, dst, isa::kFrameReg, at, 0); }
constexpr RawInsn store(std::int32_t at, std::uint8_t src) { return raw(kStoreDouble, isa::kFrameReg, src, at, 0); }

using Sequence = std::vector<RawInsn>;

/// Signed division or remainder by -1 or 0, whose results machines do not agree on.
Sequence signed_division(const RawInsn& insn, const Insn& decoded) {
  const bool wide = decoded.bits == 64, modulo = decoded.op == Op::kSmod;
  const std::uint8_t dst = decoded.dst;
  const RawInsn negate = raw(alu(wide) | kNeg, dst, 0, 0, 0);
  if (!decoded.src_is_reg) return {modulo ? set(false, dst, 0) : negate};
  Sequence out{move(true, kHidden, decoded.src), raw(alu(wide) | kAdd, kHidden, 0, 0, 1)};
  if (!modulo) {
    out.insert(out.end(), {jump(wide, kJgt, kHidden, 1, 4), jump(wide, kJeq, kHidden, 0, 1), set(wide, dst, 0), negate, go(1), insn});
    return out;
  }
  out.insert(out.end(), {jump(wide, kJgt, kHidden, 1, 3), jump(wide, kJeq, kHidden, 1, wide ? 3 : 4), set(false, dst, 0), go(1), insn});
  if (!wide) out.insert(out.end(), {go(1), move(false, dst, dst)});
  return out;
}

/// Division by zero gives zero, and leaves what a remainder is taken of.
Sequence division(const RawInsn& insn, const Insn& decoded) {
  const bool wide = decoded.bits == 64;
  const std::uint8_t dst = decoded.dst, src = decoded.src;
  if (decoded.op == Op::kDiv) return {jump(wide, kJne, src, 0, 2), raw(kAlu32 | kXor | kReg, dst, dst, 0, 0), go(1), insn};
  Sequence out{jump(wide, kJeq, src, 0, wide ? 1 : 2), insn};
  if (!wide) out.insert(out.end(), {go(1), move(false, dst, dst)});
  return out;
}

Sequence cpu_number() { return {set(false, 0, 0), raw(kAlu64 | kMov | kReg, 0, 0, kPerCpu, 0), raw(kLoadWord, 0, 0, 0, 0)}; }

/// The variable of the kernel's, whose address is nobody's business.
Sequence ticks() { return {raw(kLoadWide, 0, 0, 0, 0), raw(0, 0, 0, 0, 0), raw(kLoadDouble, 0, 0, 0, 0)}; }

/// bpf_loop with a callback that is known, as a loop. saves: place of r6; r7 and r8 stand above it. callee: displacement of the
/// callback from behind the sequence's call, filled in later.
constexpr std::size_t kLoopCallAt = 12;
Sequence inline_loop(std::int32_t saves) {
  constexpr std::uint8_t most = 6, count = 7, context = 8;
  const auto copy = [](std::uint8_t dst, std::uint8_t src) { return move(true, dst, src); };
  return {jump(true, kJle, 1, kBudget, 2), set(false, 0, -static_cast<std::int32_t>(Errno::kTooBig)), go(16),
          store(saves, most), store(saves + 8, count), store(saves + 16, context),
          copy(most, 1), set(true, count, 0), copy(context, 3),
          raw(kJmp | kJge | kReg, count, most, 5, 0), copy(1, count), copy(2, context), raw(kCall, 0, 1, 0, 0),
          raw(kAlu64 | kAdd, count, 0, 0, 1), jump(true, kJeq, 0, 0, -6), copy(0, count),
          load(most, saves), load(count, saves + 8), load(context, saves + 16)};
}

class View {
 public:
  View(std::span<const RawInsn> loaded, const verifier::ProgramInput& program, const verifier::VerifiedProgram& verified,
       const model::Facts& facts)
      : loaded_(loaded), program_(program), verified_(verified), facts_(facts), parts_(loaded.size()) {}

  ShownProgram make() {
    for (std::uint32_t i = 0; i < loaded_.size(); ++i) parts_[i].insns = {loaded_[i]};
    for (const verifier::Subprog& sub : verified_.subprogs) rewrite(sub);
    show_member_code();
    return lay_out();
  }

 private:
  struct Part {
    Sequence insns;
    bool replaced = false;
    std::int32_t jump_at = -1;     // which of insns leads …
    std::uint32_t target = 0;      // … to this loaded slot
    bool is_call = false;          // its displacement is in imm
    bool is_inner = false;         // it stays inside its function, so never leads to what was put in front of that
  };

  void replace(std::uint32_t idx, Sequence insns) {
    parts_[idx].insns = std::move(insns);
    parts_[idx].replaced = true;
  }

  /// Linux counts budgets and saves registers below what the function uses.
  void rewrite(const verifier::Subprog& sub) {
    std::int32_t depth = static_cast<std::int32_t>((sub.counted_stack_bytes + 7) / 8 * 8);
    bool loops = false, budget = false;
    for (std::uint32_t i = sub.start_idx; i < sub.end_idx; ++i) {
      loops |= verifier::becomes_inline_loop(program_.insns[i], verified_.insns[i]);
      budget |= program_.insns[i].op == Op::kMayGoto;
    }
    const std::int32_t saves = -(depth + 24);
    if (loops) depth += 24;
    const std::int32_t counter = -(depth + 8);
    for (std::uint32_t i = sub.start_idx; i < sub.end_idx; ++i) rewrite_insn(i, saves, counter);
    if (budget) {
      put_in_front(sub.start_idx, {raw(kStoreConstant, isa::kFrameReg, 0, counter, kBudget)});
    }
  }

  void put_in_front(std::uint32_t start, const Sequence& front) {
    Part& first = parts_[start];
    first.insns.insert(first.insns.begin(), front.begin(), front.end());
    if (first.jump_at >= 0) first.jump_at += static_cast<std::int32_t>(front.size());
    entry_shift_.push_back({start, static_cast<std::uint32_t>(front.size())});
  }

  /// What a host wants run around the member's programs: see member_code.cc, which makes it run.
  void show_member_code() {
    const model::AttachTarget& target = program_.target;
    if (target.kind != model::AttachTarget::Kind::kStructOpsMember || target.ops == nullptr || verified_.subprogs.empty()) return;
    const model::StructOpsMember& member = target.ops->members[target.member];
    Sequence front = encoded(member.prologue);
    if (!member.epilogue.empty()) {
      const auto slot = -static_cast<std::int32_t>((verified_.subprogs.front().counted_stack_bytes + 7) / 8 * 8 + 8);
      front.push_back(store(slot, 1));
      Sequence end{load(1, slot)};
      const Sequence rest = encoded(member.epilogue);
      end.insert(end.end(), rest.begin(), rest.end());
      show_epilogue(end);
    }
    if (!front.empty()) put_in_front(0, front);
  }

  void show_epilogue(const Sequence& end) {
    std::uint32_t first = UINT32_MAX;
    for (std::uint32_t i = 0; i < verified_.subprogs.front().end_idx; ++i) {
      if (program_.insns[i].op != Op::kExit) continue;
      if (first == UINT32_MAX) {
        first = i;
        replace(i, end);
        continue;
      }
      replace(i, {raw(kJmp32 | kJa, 0, 0, 0, 0)});
      parts_[i].jump_at = 0;
      parts_[i].target = first;
      parts_[i].is_call = parts_[i].is_inner = true;
    }
  }

  static Sequence encoded(const std::vector<Insn>& insns) {
    Result<Sequence> slots = isa::encode(insns);  // registration has decoded them
    return slots.ok() ? std::move(slots).value() : Sequence{};
  }

  void rewrite_insn(std::uint32_t i, std::int32_t saves, std::int32_t counter) {
    const Insn& insn = program_.insns[i];
    switch (insn.op) {
      case Op::kSdiv: case Op::kSmod:
        if (insn.src_is_reg || insn.imm == -1) replace(i, signed_division(loaded_[i], insn));
        return;
      case Op::kDiv: case Op::kMod:
        if (insn.src_is_reg) replace(i, division(loaded_[i], insn));
        return;
      case Op::kMayGoto:
        replace(i, {load(kHidden, counter), jump(true, kJeq, kHidden, 0, 0), raw(kAlu64 | kSub, kHidden, 0, 0, 1), store(counter, kHidden)});
        parts_[i].jump_at = 1;
        parts_[i].target = target_of(i);
        parts_[i].is_inner = true;
        return;
      case Op::kCallHelper: case Op::kCallKfunc: rewrite_call(i, saves); return;
      case Op::kJa: case Op::kJeq: case Op::kJne: case Op::kJgt: case Op::kJge: case Op::kJlt: case Op::kJle: case Op::kJset:
      case Op::kJsgt: case Op::kJsge: case Op::kJslt: case Op::kJsle: case Op::kCallSubprog:
        parts_[i].jump_at = 0;
        parts_[i].target = target_of(i);
        parts_[i].is_call = insn.op == Op::kCallSubprog || (insn.op == Op::kJa && insn.bits == 32);
        parts_[i].is_inner = insn.op != Op::kCallSubprog;
        return;
      case Op::kLdImm64:
        if (insn.pseudo() != isa::Pseudo::kFunc) return;
        parts_[i].jump_at = 0;
        parts_[i].target = static_cast<std::uint32_t>(std::int64_t{i} + 1 + static_cast<std::int32_t>(insn.imm));
        parts_[i].is_call = true;
        return;
      default: return;
    }
  }

  void rewrite_call(std::uint32_t i, std::int32_t saves) {
    const Insn& insn = program_.insns[i];
    const verifier::InsnFacts& facts = verified_.insns[i];
    for (std::uint32_t p = 1; p <= facts.fastcall_pairs; ++p) replace(i - p, {}), replace(i + p, {});
    if (insn.op == Op::kCallKfunc) {
      if (is_cast(facts)) replace(i, {move(true, 0, 1)});
      return;
    }
    if (insn.imm == uapi::BPF_FUNC_get_smp_processor_id) return replace(i, cpu_number());
    if (insn.imm == uapi::BPF_FUNC_jiffies64) return replace(i, ticks());
    if (!verifier::becomes_inline_loop(insn, facts)) return;
    replace(i, inline_loop(saves));
    parts_[i].jump_at = kLoopCallAt;
    parts_[i].target = verified_.subprogs[facts.callee].start_idx;
    parts_[i].is_call = true;
  }

  bool is_cast(const verifier::InsnFacts& facts) const {
    if (facts.kfunc >= verified_.kfuncs.size()) return false;
    const model::KernelKfunc* row = model::find_kernel_kfunc(facts_.kfuncs[verified_.kfuncs[facts.kfunc].index].name);
    return row != nullptr && (row->special == model::KfuncSpecial::kCastToKernCtx || row->special == model::KfuncSpecial::kRdonlyCast);
  }

  std::uint32_t target_of(std::uint32_t i) const {
    return static_cast<std::uint32_t>(std::int64_t{i} + 1 + program_.insns[i].jump);
  }

  ShownProgram lay_out() {
    ShownProgram out;
    std::uint32_t at = 0;
    for (const Part& part : parts_) {
      out.start.push_back(at);
      at += static_cast<std::uint32_t>(part.insns.size());
    }
    out.start.push_back(at);
    for (std::uint32_t i = 0; i < parts_.size(); ++i) {
      Part& part = parts_[i];
      if (part.jump_at >= 0 && part.target < parts_.size()) aim(part, out.start, i);
      out.insns.insert(out.insns.end(), part.insns.begin(), part.insns.end());
    }
    return out;
  }

  /// A jump to a function's first instruction from inside lands behind what was put in front of it; a call does not.
  void aim(Part& part, const std::vector<std::uint32_t>& start, std::uint32_t i) const {
    RawInsn& jump = part.insns[static_cast<std::size_t>(part.jump_at)];
    std::int64_t to = start[part.target];
    if (part.is_inner)
      for (const Entry& entry : entry_shift_) to += entry.start == part.target ? entry.insns : 0;
    const auto by = static_cast<std::int32_t>(to - (std::int64_t{start[i]} + part.jump_at + 1));
    if (part.is_call) jump.imm = by;
    else jump.off = static_cast<std::int16_t>(by);
  }

  const std::span<const RawInsn> loaded_;
  const verifier::ProgramInput& program_;
  const verifier::VerifiedProgram& verified_;
  const model::Facts& facts_;
  std::vector<Part> parts_;
  struct Entry { std::uint32_t start, insns; };
  std::vector<Entry> entry_shift_;  // functions with instructions in front
};

}  // namespace

ShownProgram show(std::span<const RawInsn> loaded, const verifier::ProgramInput& program,
                  const verifier::VerifiedProgram& verified, const model::Facts& facts) {
  return View(loaded, program, verified, facts).make();
}

}  // namespace ring3::rewrite
