// Shifts up and down by one amount: programs for processors without narrow operations (cpu v1 to v3) extend values by them. One
// instruction of the machine does it, or the load that comes before does it on the way, or nothing is left to be done.
#if defined(__x86_64__)

#include "exec/jit/emitter.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

bool shifts_by_constant(const Insn& insn, Op op) { return insn.op == op && !insn.src_is_reg; }

}  // namespace

/// Whether `up` and the instruction behind it keep the low bytes of up.dst and extend them.
bool Emitter::find_extension(std::uint32_t up_idx, Extension& out) const {
  const Insn& up = program_.insns[up_idx];
  if (!shifts_by_constant(up, Op::kLsh)) return false;
  const std::uint32_t down_idx = next_kept(up_idx);
  if (down_idx == 0) return false;
  const Insn& down = program_.insns[down_idx];
  if (down.dst != up.dst || down.bits != up.bits || down.imm != up.imm) return false;
  const bool is_signed = shifts_by_constant(down, Op::kArsh);
  if (!is_signed && !shifts_by_constant(down, Op::kRsh)) return false;
  const std::int64_t kept_bits = up.bits - up.imm;
  if (kept_bits != 8 && kept_bits != 16 && (kept_bits != 32 || up.bits != 64)) return false;
  out = {.reg = up.dst, .bytes = static_cast<std::uint8_t>(kept_bits / 8), .is_signed = is_signed, .wide = up.bits == 64, .last = down_idx};
  return true;
}

/// dst = the low bytes of src, extended.
void Emitter::extend_into(unsigned dst, unsigned src, const Extension& e) {
  const Gp to = sized(dst, e.wide && e.is_signed);
  const Gp from = at_width(r64(src), e.bytes);
  if (!e.is_signed && e.bytes == 4) {
    if (dst != src || (upper_zero_ >> src & 1) == 0) a_.mov(to, from);
  } else if (!e.is_signed) {
    a_.movzx(to, from);
  } else if (e.bytes == 4) {
    a_.movsxd(to, from);
  } else {
    a_.movsx(to, from);
  }
  set_upper_zero(dst, !(e.wide && e.is_signed));
}

/// An extension, or a copy or a load and the extension of what it gave. True: done.
bool Emitter::extend(std::uint32_t idx, const Insn& insn) {
  Extension e;
  if (insn.op == Op::kLsh) {
    if (!find_extension(idx, e)) return false;
    extend_into(e.reg, e.reg, e);
  } else if (insn.op == Op::kMov && insn.src_is_reg) {
    const std::uint32_t next = next_kept(idx);
    if (next == 0 || !find_extension(next, e) || e.reg != insn.dst) return false;
    extend_into(e.reg, insn.src, e);
  } else if (insn.op == Op::kLoad && !may_fault(idx)) {
    const std::uint32_t next = next_kept(idx);
    if (next == 0 || !find_extension(next, e) || e.reg != insn.dst || e.bytes != insn.size || !e.is_signed) return false;
    const x86::Mem from = memory(idx, insn.src, insn.off, insn.size);
    const Gp to = sized(e.reg, e.wide);
    if (e.bytes == 4) a_.movsxd(to, from);
    else a_.movsx(to, from);
    set_upper_zero(e.reg, !e.wide);
  } else {
    return false;
  }
  next_idx_ = e.last + 1;
  return true;
}

}  // namespace ring3::exec::jit

#endif
