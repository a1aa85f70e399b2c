// Random programs that are nearly right: most pass a verifier, the rest break one rule somewhere deep inside.
//
// A program looks a 48-byte value up in a one-element array, keeps the pointer in r7 and the context in r6, and then does
// arithmetic of all versions of the instruction set, branches near and far, spills, atomics on maps and stack, bounded loops
// (also with may_goto), calls two deep, callbacks (bpf_loop, bpf_for_each_map_elem), tail calls from main and other functions,
// accesses at computed offsets, loads from the packet, and operations on hashes, LRU hashes, arrays, per-CPU maps, maps in
// maps and a queue; reads through untrusted pointers, which may lead nowhere; works with dynptrs, iterators, objects of its
// own, locks and exceptions. It calls nothing whose answer differs from one run to the next, so two kernels that accept it must
// compute the same. Some call functions that only a host of ours has: of those just the compiler and the interpreter are asked.
#pragma once

#include <cstdint>
#include <vector>

#include "isa/insn.h"

namespace ring3::native {

inline constexpr std::uint32_t kMapValueBytes = 48;
inline constexpr std::uint32_t kHashEntries = 16;  // keys of 8 bytes, 0 to 15, and values of 8
inline constexpr std::uint32_t kArrayEntries = 4;  // values of 8 bytes
inline constexpr std::uint32_t kPrograms = 3;      // that can be called; another slot is empty

/// What stands in a program for a map's descriptor.
enum MapNumber : std::uint32_t {
  kValueMap = 1,
  kHashMap,
  kPercpuArrayMap,
  kPercpuHashMap,
  kStepsMap,      // an array
  kLruMap,
  kQueueMap,
  kOuterMap,      // its maps are arrays
  kProgramsMap,
  kRingMap,
  kMapNumbersEnd
};

inline constexpr std::uint8_t kNamesMap = 1, kNamesType = 3, kNamesFunction = 4;  // src of a wide immediate
inline constexpr std::uint8_t kNamesKfunc = 2;                                    // src of a call
inline constexpr std::int32_t kObjectTypeId = 10;                                 // of the programs' own struct object

struct RandomProgram {
  std::vector<isa::RawInsn> insns;
};

/// The same seed gives the same program. Of quotients, remainders, sign extensions and shifts by registers we know
/// more than Linux does, so on programs with those its verdict is not ours; odd seeds make programs without them.
RandomProgram random_program(std::uint64_t seed);
inline bool beyond_linux(std::uint64_t seed) { return seed % 2 == 0; }
inline bool asks_the_host(std::uint64_t seed) { return seed % 4 == 2; }
/// Whether it calls what no kernel has.
bool needs_our_host(const RandomProgram& program);

}  // namespace ring3::native
