// What all statements of random programs are written with: dice, and the instructions as they stand in memory.
//
// Registers: r6 the context, r7 the value of the array, r8 and r9 numbers no verifier knows; r0 to r5 usually numbers.
// Frame: slots of 8 bytes down to -48 for spills, then a key and a buffer, then what host_statements.cc says.
#pragma once

#include <random>

#include "host_names.h"
#include "program_generator.h"

namespace ring3::native {

// Classes and modes of the ABI, as far as they are put together here.
enum : std::uint8_t { kLdx = 0x61, kLdxSigned = 0x81, kStx = 0x63, kSt = 0x62, kAtomic = 0xc3, kAlu64 = 0x07, kAlu32 = 0x04, kJmp = 0x05, kJmp32 = 0x06 };
enum : std::uint8_t { kByReg = 0x08 };
inline constexpr std::uint8_t kSizes[] = {0x00 /* 4 */, 0x08 /* 2 */, 0x10 /* 1 */, 0x18 /* 8 */};
inline constexpr int kBytes[] = {4, 2, 1, 8};
inline constexpr std::int32_t kImmediates[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 40, 47, 48, 63, 64, 255, 256, 65535, 0x7fffffff,
                                               -1, -2, -8, -48, -256, INT32_MIN, INT32_MIN + 1};
inline constexpr std::int32_t kAtomics[] = {0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1};
inline constexpr int kKeyAt = -56, kBufferAt = -64;

/// Functions behind the main one.
enum class Callee : std::uint8_t {
  kNumbers,      // of two numbers; may call kLeaf
  kLeaf,
  kTailCaller,   // of the context and an index
  kLoopBody,     // for bpf_loop
  kElementBody,  // for bpf_for_each_map_elem
};
inline constexpr std::size_t kCallees = 5;

class ProgramWriter {
 public:
  explicit ProgramWriter(std::uint64_t seed) : random_(seed), beyond_linux_(beyond_linux(seed)) {}

 protected:
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  template <typename T, std::size_t N>
  T one_of(const T (&from)[N]) { return from[pick(0, static_cast<int>(N) - 1)]; }

  void emit(std::uint8_t code, int dst, int src = 0, int off = 0, std::int32_t imm = 0) {
    out_.insns.push_back({code, static_cast<std::uint8_t>(dst & 15), static_cast<std::uint8_t>(src & 15),
                          static_cast<std::int16_t>(off), imm});
  }
  void mov(int dst, std::int32_t imm) { emit(0xb7, dst, 0, 0, imm); }
  void copy(int dst, int src) { emit(0xbf, dst, src); }
  std::size_t here() const { return out_.insns.size(); }
  /// The jump at `at` leads here.
  void land(std::size_t at) { out_.insns[at].off = static_cast<std::int16_t>(here() - at - 1); }

  /// Of a load of kBytes[size].
  std::uint8_t load_code(int size) {
    return static_cast<std::uint8_t>((size == 3 || !beyond_linux_ || chance(60) ? kLdx : kLdxSigned) | kSizes[size]);
  }

  /// A register that usually holds a number.
  int number() { return chance(99) ? one_of({0, 2, 3, 4, 5, 8, 9}) : pick(0, 10); }
  /// … that calls keep, or that arguments are made of.
  int kept_number() { return one_of({2, 3, 8, 9}); }

  void map(int dst, MapNumber number) {
    emit(0x18, dst, kNamesMap, 0, static_cast<std::int32_t>(number));
    emit(0x00, 0);
  }
  void function(int dst, Callee callee) {
    calls_.emplace_back(here(), callee);
    emit(0x18, dst, kNamesFunction);
    emit(0x00, 0);
  }
  void call_function(Callee callee) {
    calls_.emplace_back(here(), callee);
    emit(0x85, 0, 1);
  }
  void call_helper(std::int32_t id) { emit(0x85, 0, 0, 0, id); }
  void stack_address(int dst, int off) {
    copy(dst, 10);
    emit(0x07, dst, 0, 0, off);
  }
  /// What a call leaves unreadable gets a number again, as a rule.
  void lose_arguments() {
    for (int reg : {1, 2, 3, 4, 5})
      if (chance(98)) mov(reg, one_of(kImmediates));
  }

  std::mt19937_64 random_;
  const bool beyond_linux_;
  RandomProgram out_;
  std::vector<std::pair<std::size_t, Callee>> calls_;  // calls and references whose target comes later
};

}  // namespace ring3::native
