#include "fuzz/support/tame_writer.h"

#include <array>
#include <iterator>

#include "isa/rows.h"

namespace ring3::fuzz {
namespace {

using isa::RawInsn;
using isa::Role;

constexpr std::int32_t kImmediates[] = {0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 65535,
                                        INT32_MAX, INT32_MIN, -1, -2, -8, -16, -128, -512};

bool is_made(const isa::Row& row) {
  switch (row.form) {
    case isa::Form::kCall: case isa::Form::kLdSkb: case isa::Form::kAddrSpace: case isa::Form::kMayGoto:
    case isa::Form::kLdImm64: case isa::Form::kLdImm64Hi: return false;
    default: return row.code != TameWriter::kExit;
  }
}

}  // namespace

std::int32_t TameWriter::immediate() { return kImmediates[next() % std::size(kImmediates)]; }

void TameWriter::put(std::uint8_t code, unsigned dst, unsigned src, int off, std::int32_t imm) {
  RawInsn out{};
  out.code = code;
  out.dst = dst & 0xf;
  out.src = src & 0xf;
  out.off = static_cast<std::int16_t>(off);
  out.imm = imm;
  out_.push_back(out);
}

void TameWriter::step() {
  switch (next() % 16) {
    case 0: computed_stack(); return;
    case 1: spilled_pointer(); return;
    case 2: bounded(); return;
    case 3: { const std::uint8_t from = number(); put(kMovReg, number(), from, 0, 0); return; }
    default: one(); return;
  }
}

/// A byte or word of the frame at an offset that is only known to be in a range.
void TameWriter::computed_stack() {
  const std::uint8_t pointer = number(), index = number();
  const std::uint8_t choice = next();
  if (pointer == index) return;
  put(kAndImm, index, 0, 0, (choice & 1) != 0 ? 0x38 : 0x0f);
  put(kMovReg, pointer, kFrame, 0, 0);
  put(kAddImm, pointer, 0, 0, -64 - 8 * (choice >> 6));
  put(kAddReg, pointer, index, 0, 0);
  if ((choice & 2) != 0) put((choice & 1) != 0 ? kStoreReg8 : kStoreReg1, pointer, index, 0, 0);
  else put((choice & 1) != 0 ? kLoad8 : kLoad1, index, pointer, 0, 0);
  put(kMovImm, pointer, 0, 0, choice);
}

/// The context's address, through the stack.
void TameWriter::spilled_pointer() {
  const std::uint8_t there = number(), choice = next();
  const int slot = -8 * (1 + choice % 8);
  put(kStoreReg8, kFrame, kBase, slot, 0);
  put(kLoad8, there, kFrame, slot, 0);
  put(kLoad8, there, there, 8 * ((choice >> 5) % (base_bytes_ / 8)), 0);
  if ((choice & 16) != 0) put(kStoreReg8, kFrame, there, slot, 0);
}

/// A number between two bounds, by comparison.
void TameWriter::bounded() {
  const std::uint8_t reg = number(), choice = next();
  put((choice & 1) != 0 ? kJsgtImm : kJltImm, reg, 0, 1 + choice / 2 % 4, immediate());
}

/// Any instruction of the table.
void TameWriter::one() {
  const isa::Row& row = isa::kRows[(next() | static_cast<unsigned>(next()) << 8) % isa::kRowCount];
  if (!is_made(row)) return;
  const bool memory = (row.effects & (isa::kStores | isa::kLoads)) != 0;
  const bool stores = (row.effects & isa::kStores) != 0;
  const bool atomic = stores && (row.effects & isa::kLoads) != 0;
  RawInsn out{};
  out.code = row.code;
  const std::uint8_t base = atomic || next() % 3 != 0 ? kFrame : kBase;
  const auto reg = [&](const isa::Field& field, bool is_base) {
    return static_cast<std::uint8_t>((!field.is_register() ? static_cast<std::uint8_t>(field.value) : is_base ? base : number()) & 15);
  };
  out.dst = reg(row.dst, stores) & 0xf;
  out.src = reg(row.src, memory && !stores) & 0xf;
  const std::uint8_t choice = next();
  switch (row.off.role) {
    case Role::kMem: out.off = static_cast<std::int16_t>(base == kFrame ? -8 * (1 + choice % 8) : 8 * (choice % (base_bytes_ / 8))); break;
    case Role::kJump: out.off = static_cast<std::int16_t>(choice < 250 ? choice % 6 : -(choice % 6) - 1); break;
    case Role::kIs: out.off = static_cast<std::int16_t>(row.off.value); break;
    default: break;
  }
  switch (row.imm.role) {
    case Role::kValue: out.imm = (choice & 1) != 0 ? choice & 31 : kImmediates[choice / 2 % std::size(kImmediates)]; break;
    case Role::kJump: out.imm = choice % 6; break;
    case Role::kWidth: out.imm = std::array{16, 32, 64}[choice % 3]; break;
    case Role::kIs: out.imm = row.imm.value; break;
    default: break;
  }
  out_.push_back(out);
}

}  // namespace ring3::fuzz
