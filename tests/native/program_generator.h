// Random programs that are nearly right: most pass a verifier, the rest break one rule somewhere deep inside.
//
// A program looks a 48-byte value up in a one-element array, keeps the pointer in r7 and the context in r6, and then does
// arithmetic, branches, spills, atomics, bounded loops, subprogram calls, accesses at computed offsets, lookups, updates
// and deletions in a hash, and loads from the packet. It calls nothing whose answer differs from one run to the next, so
// two kernels that accept it must compute the same.
#pragma once

#include <cstdint>
#include <vector>

#include "isa/insn.h"

namespace ring3::native {

inline constexpr std::uint32_t kMapValueBytes = 48;
inline constexpr std::uint32_t kHashEntries = 16;  // keys of 8 bytes, 0 to 15, and values of 8

struct RandomProgram {
  std::vector<isa::RawInsn> insns;
  std::vector<std::size_t> map_at;   // first slots of wide immediates that take the array's descriptor
  std::vector<std::size_t> hash_at;  // … the hash's
};

/// The same seed gives the same program. Of quotients, remainders, sign extensions and shifts by registers we know
/// more than Linux does, so on programs with those its verdict is not ours; odd seeds make programs without them.
RandomProgram random_program(std::uint64_t seed);
inline bool beyond_linux(std::uint64_t seed) { return seed % 2 == 0; }

}  // namespace ring3::native
