// Loads, stores, atomics.
#if defined(__x86_64__)

#include "exec/jit/emitter.h"

#include <algorithm>

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

x86::Mem operand(unsigned base, std::int32_t off, std::uint32_t bytes) { return x86::ptr(r64(base), off, bytes); }

bool is_fetch_logic(Op op) {
  return op == Op::kAtomicFetchOr || op == Op::kAtomicFetchAnd || op == Op::kAtomicFetchXor;
}

}  // namespace

/// The operand of a load or store, as it was planned.
x86::Mem Emitter::memory(std::uint32_t idx, unsigned base, std::int32_t off, std::uint32_t bytes) const {
  const Step& step = plan_.steps[idx];
  if (!step.folded) return operand(base, off, bytes);
  if (step.index == kNoRegister) return operand(step.base, step.off, bytes);
  return x86::ptr(r64(step.base), r64(step.index), step.shift, step.off, bytes);
}

bool Emitter::may_fault(std::uint32_t idx) const {
  return std::binary_search(program_.faulting.begin(), program_.faulting.end(), idx);
}

/// The access at byte `at` was emitted last; where it faults, `kind` is done to BPF register `reg`.
void Emitter::note_fault(std::uint32_t at, Cold::Kind kind, std::uint8_t reg) {
  const Label back = a_.newLabel();
  a_.bind(back);
  cold_.push_back({kind, reg, Label(), back, static_cast<std::uint32_t>(faults_.size())});
  faults_.push_back({at, 0});
}

void Emitter::load(std::uint32_t idx, const Insn& insn) {
  const x86::Mem from = memory(idx, insn.src, insn.off, insn.size);
  const Gp dst = r64(insn.dst);
  const auto at = static_cast<std::uint32_t>(a_.offset());
  if (insn.op == Op::kLoadSx) {
    if (insn.size == 4) a_.movsxd(dst, from);
    else a_.movsx(dst, from);
  } else if (insn.size < 4) {
    a_.movzx(dst.r32(), from);
  } else {
    a_.mov(at_width(dst, insn.size), from);
  }
  if (insn.op == Op::kLoad && insn.size < 8) upper_zero_ |= 1u << insn.dst;
  else upper_zero_ &= ~(1u << insn.dst);
  if (may_fault(idx)) note_fault(at, Cold::kZero, insn.dst);
}

void Emitter::store(std::uint32_t idx, const Insn& insn) {
  const x86::Mem to = memory(idx, insn.dst, insn.off, insn.size);
  const bool embedded = insn.src_is_reg || may_embed(insn.imm, insn.size == 8);
  const auto at = static_cast<std::uint32_t>(a_.offset());
  if (insn.src_is_reg) {
    a_.mov(to, at_width(r64(insn.src), insn.size));
  } else if (!embedded) {
    a_.mov(to, at_width(kScratch3, insn.size));
  } else {
    const std::int64_t value = insn.size == 1   ? static_cast<std::int8_t>(insn.imm)
                               : insn.size == 2 ? static_cast<std::int16_t>(insn.imm)
                                                : static_cast<std::int32_t>(insn.imm);
    a_.mov(to, asmjit::Imm(value));
  }
  if (may_fault(idx)) note_fault(at, Cold::kNothing, 0);
}

/// Those that may fault are no fetching logic (the verifier refuses it in arenas): one instruction touches the memory.
void Emitter::atomic(std::uint32_t idx, const Insn& insn) {
  if (is_fetch_logic(insn.op)) return atomic_loop(insn);
  const auto at = static_cast<std::uint32_t>(a_.offset());
  atomic_access(insn);
  if (!may_fault(idx)) return;
  const bool fetches = insn.op >= Op::kAtomicFetchAdd;
  note_fault(at, fetches ? Cold::kZero : Cold::kNothing, insn.op == Op::kAtomicCmpxchg ? 0 : insn.src);
}

void Emitter::atomic_access(const Insn& insn) {
  const x86::Mem at = operand(insn.dst, insn.off, insn.size);
  const Gp src = at_width(r64(insn.src), insn.size);
  const std::uint32_t src_bit = 1u << insn.src;
  switch (insn.op) {
    case Op::kAtomicAdd: a_.lock().add(at, src); return;
    case Op::kAtomicOr: a_.lock().or_(at, src); return;
    case Op::kAtomicAnd: a_.lock().and_(at, src); return;
    case Op::kAtomicXor: a_.lock().xor_(at, src); return;
    case Op::kAtomicFetchAdd: a_.lock().xadd(at, src); break;
    case Op::kAtomicXchg: a_.xchg(at, src); break;
    default:
      a_.lock().cmpxchg(at, src, at_width(x86::rax, insn.size));
      // Where the values were equal the machine leaves rax alone, upper half and all.
      if (insn.size == 4) a_.mov(x86::eax, x86::eax);
      upper_zero_ = insn.size == 4 ? upper_zero_ | 1u : upper_zero_ & ~1u;
      return;
  }
  upper_zero_ = insn.size == 4 ? upper_zero_ | src_bit : upper_zero_ & ~src_bit;
}

/// or, and, xor that give the old value: the machine has none of these, so they try until nobody came between.
void Emitter::atomic_loop(const Insn& insn) {
  const Gp operand = at_width(kScratch3, insn.size);
  const Gp fresh = at_width(kScratch, insn.size);
  const Gp old = at_width(x86::rax, insn.size);
  const Gp base = insn.dst == 0 ? kScratch2 : r64(insn.dst);
  const x86::Mem at = x86::ptr(base, insn.off, insn.size);
  a_.mov(kScratch2, x86::rax);
  a_.mov(kScratch3, r64(insn.src));
  a_.mov(old, at);
  const Label again = a_.newLabel();
  a_.bind(again);
  a_.mov(fresh, old);
  switch (insn.op) {
    case Op::kAtomicFetchOr: a_.or_(fresh, operand); break;
    case Op::kAtomicFetchAnd: a_.and_(fresh, operand); break;
    default: a_.xor_(fresh, operand); break;
  }
  a_.lock().cmpxchg(at, fresh, old);
  a_.jne(again);
  if (insn.src != 0) {
    a_.mov(at_width(r64(insn.src), insn.size), old);
    a_.mov(x86::rax, kScratch2);
  } else if (insn.size == 4) {
    a_.mov(x86::eax, x86::eax);
  }
  const std::uint32_t bit = 1u << insn.src;
  upper_zero_ = insn.size == 4 ? upper_zero_ | bit : upper_zero_ & ~bit;
}

}  // namespace ring3::exec::jit

#endif
