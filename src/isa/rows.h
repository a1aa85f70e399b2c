// The rows of insn.def as data, and the two ways to find one: by raw slot, by decoded instruction.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "isa/insn.h"

namespace ring3::isa {

/// What a row says about a field of the raw slot.
enum class Role : std::uint8_t {
  kNone,       // register fields: must be zero
  kRead, kWrite, kReadWrite,
  kZero,
  kMem, kJump, kAny, kValue, kLow, kWidth, kSpaces,
  kIs,         // must equal Field::value: tells rows of one code apart
};

struct Field {
  Role role;
  std::int16_t value;

  constexpr bool is_register() const {
    return role == Role::kRead || role == Role::kWrite || role == Role::kReadWrite;
  }
  constexpr bool reads() const { return role == Role::kRead || role == Role::kReadWrite; }
  constexpr bool writes() const { return role == Role::kWrite || role == Role::kReadWrite; }
};

/// Effects of an instruction beyond its register fields.
enum Effect : std::uint16_t {
  kLoads = 1 << 0,
  kStores = 1 << 1,
  kReadsR0 = 1 << 2,
  kWritesR0 = 1 << 3,
  kCalls = 1 << 4,       // r1-r5 in, r0 out, r1-r5 lost
  kReadsPacket = 1 << 5, // r6 in, r0 out, r1-r5 lost
  kHasTarget = 1 << 6,   // Insn::jump leads somewhere
  kEnds = 1 << 7,        // never falls through
  kIsWide = 1 << 8,      // kLdImm64Hi follows
};

enum class Form : std::uint8_t {
  kAlu, kNeg, kMov, kAddrSpace, kEnd, kJa, kJump, kMayGoto, kCall, kExit,
  kLdx, kSt, kStx, kLdImm64, kLdImm64Hi, kLdSkb, kAtomic,
};

enum class Since : std::uint8_t { kV1 = 1, kV2, kV3, kV4, kLinux };

struct Row {
  Op op;
  std::uint8_t bits;
  std::uint8_t size;
  std::uint8_t code;
  Field dst, src, off, imm;
  std::uint16_t effects;
  Form form;
  Since since;
  const char* text;

  constexpr bool src_is_reg() const { return src.is_register(); }
};

inline constexpr std::size_t kRowCount = 0
#define RING3_INSN(...) +1
#include "isa/insn.def"
    ;

/// All rows, in the order of insn.def.
extern const std::array<Row, kRowCount> kRows;

/// Index of the row that a raw slot's code and selector fields name, or -1.
/// Says nothing about the other fields: check_fields does.
int find_row(const RawInsn& raw);

/// Index of the row of a decoded instruction, or -1 when no such instruction exists (a bad size, …).
int find_row(const Insn& insn);

/// Whether some instruction has this opcode byte.
bool is_known_code(std::uint8_t code);

}  // namespace ring3::isa
