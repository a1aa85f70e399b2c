// Which registers an instruction reads and writes, and how many bits of them.
#pragma once

#include <cstdint>

#include "isa/insn.h"

namespace ring3::isa {

/// Bit n stands for rn.
using RegMask = std::uint16_t;

struct RegUse {
  RegMask reads = 0;        // value read, whole or in part
  RegMask reads_upper = 0;  // of those: bits 32 to 63 matter
  RegMask writes = 0;       // written or lost
  RegMask zero_upper = 0;   // of those: written by a 32-bit result, so bits 32 to 63 become zero
};

/// Calls read r1 to r5 and lose r0 to r5: how many arguments a callee really takes is not known here.
RegUse reg_use(const Insn& insn);

}  // namespace ring3::isa
