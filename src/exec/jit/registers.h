// Where BPF registers live. Arguments and results stand where the C calling convention has them, so that calls
// of helpers and kfuncs need no moves; r6 to r9 are callee-saved there as here.
#pragma once

#include <asmjit/x86.h>

#include <cstdint>

namespace ring3::exec::jit {

namespace x86 = asmjit::x86;

// Numbers of rax, rdi, rsi, rdx, rcx, r8, rbx, r13, r14, r15, rbp; and of r10 for rewrite::kRewriteReg, which only sums,
// differences, shifts by constants and bit operations use.
inline constexpr std::uint8_t kMachineReg[] = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5, 10};

inline x86::Gp r64(unsigned bpf_reg) { return x86::gpq(kMachineReg[bpf_reg]); }
inline x86::Gp r32(unsigned bpf_reg) { return x86::gpd(kMachineReg[bpf_reg]); }
inline x86::Gp sized(unsigned bpf_reg, bool wide) {
  if (wide) return r64(bpf_reg);
  return r32(bpf_reg);
}
inline x86::Gp resized(const x86::Gp& reg, bool wide) {
  if (wide) return reg.r64();
  return reg.r32();
}

/// The same register at the width of a memory access: 1, 2, 4 or 8 bytes.
inline x86::Gp at_width(const x86::Gp& reg, unsigned bytes) {
  switch (bytes) {
    case 1: return reg.r8();
    case 2: return reg.r16();
    case 4: return reg.r32();
    default: return reg.r64();
  }
}

// Free between any two BPF instructions. r9 comes in as the run and is kept in the frame where needed.
inline const x86::Gp kScratch = x86::r9;
inline const x86::Gp kScratch2 = x86::r10;   // also: rewrite::kRewriteReg
inline const x86::Gp kScratch3 = x86::r11;   // also: blinded constants

}  // namespace ring3::exec::jit
