// Where jumps lead, and what the machine calls their conditions.
#pragma once

#include <cstdint>

#include "exec/jit/registers.h"
#include "isa/insn.h"

namespace ring3::exec::jit {

/// The machine's name of a comparison.
inline x86::CondCode condition(isa::Op op) {
  using isa::Op;
  switch (op) {
    case Op::kJeq: return x86::CondCode::kE;
    case Op::kJne: case Op::kJset: return x86::CondCode::kNE;
    case Op::kJgt: return x86::CondCode::kA;
    case Op::kJge: return x86::CondCode::kAE;
    case Op::kJlt: return x86::CondCode::kB;
    case Op::kJle: return x86::CondCode::kBE;
    case Op::kJsgt: return x86::CondCode::kG;
    case Op::kJsge: return x86::CondCode::kGE;
    case Op::kJslt: return x86::CondCode::kL;
    default: return x86::CondCode::kLE;
  }
}

inline std::uint32_t target_of(std::uint32_t idx, const isa::Insn& insn) {
  return static_cast<std::uint32_t>(std::int64_t{idx} + 1 + insn.jump);
}

}  // namespace ring3::exec::jit
