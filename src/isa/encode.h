// Decoded instructions to raw slots: the exact inverse of decode.
#pragma once

#include <span>
#include <vector>

#include "isa/insn.h"
#include "ring3/result.h"

namespace ring3::isa {

/// One slot. Of a kLdImm64 this is the lower half; its kLdImm64Hi holds the upper half in imm.
/// Fields that follow from op, bits and size (selectors, the off of a jump) are made from those.
/// Errors: kInval no such instruction; kRange jump, off or imm does not fit its field.
Result<RawInsn> encode(const Insn& insn);

/// A program. The slot after a kLdImm64 gets the upper half of that one's imm, whatever it held before.
/// A kJa too far for 16 bits becomes the long form.
Result<std::vector<RawInsn>> encode(std::span<const Insn> insns);

}  // namespace ring3::isa
