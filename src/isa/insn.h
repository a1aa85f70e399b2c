// The instruction, decoded once: what every room below the loader works on.
//
// A program is an array of Insn with one element per 8-byte slot, so an instruction index (`idx`)
// is the kernel's: the second slot of a wide immediate is an element of its own, kLdImm64Hi.
// Consumers switch over Op exhaustively, without a default. What each one looks like, takes and does to
// registers stands once, in insn.def; what it computes in semantics.h.
#pragma once

#include <cstdint>

namespace ring3::isa {

/// The 8-byte ABI form, little endian.
struct RawInsn {
  std::uint8_t code;
  std::uint8_t dst : 4;
  std::uint8_t src : 4;
  std::int16_t off;
  std::int32_t imm;
  friend bool operator==(const RawInsn&, const RawInsn&) = default;
};
static_assert(sizeof(RawInsn) == 8);

enum class Op : std::uint8_t {
  // dst = dst op src; `bits` 64 or 32 (32 zeroes the upper half).
  kAdd, kSub, kMul, kDiv, kSdiv, kMod, kSmod, kOr, kAnd, kXor, kLsh, kRsh, kArsh,
  kNeg,            // dst = -dst
  kMov,            // dst = src
  kMovsx,          // dst = sign extension of the low `size` bytes of src
  kAddrSpaceCast,  // arena pointer cast; imm = (dst space << 16) | src space
  kToLe, kToBe, kBswap,  // imm = 16, 32 or 64
  // pc += jump when the comparison holds; `bits` as above. A kJa of 32 bits is the long form (gotol).
  kJa, kJeq, kJne, kJgt, kJge, kJlt, kJle, kJset, kJsgt, kJsge, kJslt, kJsle,
  kMayGoto,        // conditional jump taken when the loop budget is used up
  kCallHelper,     // imm = helper id
  kCallKfunc,      // imm = BTF id of the function, off = index into fd_array (0: host BTF)
  kCallSubprog,    // jump = displacement of the callee from the next instruction
  kExit,
  // memory; `size` bytes at [base + off]
  kLoad,           // dst = *(unsigned size *)(src + off)
  kLoadSx,         // dst = *(signed size *)(src + off)
  kStore,          // *(size *)(dst + off) = src or imm
  kLdImm64,        // dst = imm (both slots joined); `src` says what it names (Pseudo)
  kLdImm64Hi,      // second slot
  kLdAbs, kLdInd,  // legacy packet loads into r0
  // *(size *)(dst + off) op= src; the fetching forms return the old value in src (kAtomicCmpxchg: r0)
  kAtomicAdd, kAtomicOr, kAtomicAnd, kAtomicXor,
  kAtomicFetchAdd, kAtomicFetchOr, kAtomicFetchAnd, kAtomicFetchXor,
  kAtomicXchg, kAtomicCmpxchg,
};

/// What a kLdImm64 names: its src field.
enum class Pseudo : std::uint8_t {
  kImm = 0,
  kMapFd = 1,
  kMapValue = 2,
  kBtfId = 3,
  kFunc = 4,
  kMapIdx = 5,
  kMapIdxValue = 6,
};

struct Insn {
  Op op;
  std::uint8_t bits;     // 64 or 32: operand width of ALU and jumps; 64 elsewhere
  std::uint8_t size;     // 1, 2, 4, 8: bytes of a memory access or of a sign extension; else 0
  bool src_is_reg;       // src names a register (operand, base of a load, stored value); otherwise imm counts
  std::uint8_t dst;
  std::uint8_t src;      // register, Pseudo of a kLdImm64, or the raw selector of a call
  std::int16_t off;      // memory displacement in bytes; raw off field elsewhere
  std::int32_t jump;     // slots from the next instruction; 0 where there is none
  std::int64_t imm;      // sign extended from 32 bits; all 64 bits of a kLdImm64, the upper 32 of its kLdImm64Hi

  Pseudo pseudo() const { return static_cast<Pseudo>(src); }
};
static_assert(sizeof(Insn) == 24);

inline constexpr int kRegCount = 11;        // r0 … r10
inline constexpr int kFrameReg = 10;        // read-only frame pointer
inline constexpr int kMaxStackBytes = 512;  // one frame

}  // namespace ring3::isa
