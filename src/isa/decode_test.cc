#include "isa/decode.h"

#include <gtest/gtest.h>

#include "isa/encode.h"
#include "isa/row_samples.h"

namespace ring3::isa {
namespace {

RawInsn raw(unsigned code, unsigned dst = 0, unsigned src = 0, int off = 0, int imm = 0) {
  return RawInsn{static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(dst & 15), static_cast<std::uint8_t>(src & 15),
                 static_cast<std::int16_t>(off), imm};
}

std::string error_of(const std::vector<RawInsn>& program) {
  auto error = check_fields(program);
  return error ? error->message : "";
}

TEST(RowsTest, EveryRawSlotOfARowNamesThatRow) {
  for (const Sample& sample : row_samples())
    EXPECT_EQ(find_row(sample.slots[0]), static_cast<int>(sample.row));
}

TEST(RowsTest, EveryDecodedInstructionNamesItsRow) {
  for (const Sample& sample : row_samples()) {
    auto insns = decode(sample.slots);
    ASSERT_TRUE(insns.ok());
    EXPECT_EQ(find_row(insns.value()[0]), static_cast<int>(sample.row));
  }
}

TEST(EncodeTest, IsTheInverseOfDecode) {
  for (const Sample& sample : row_samples()) {
    auto insns = decode(sample.slots);
    ASSERT_TRUE(insns.ok());
    auto back = encode(insns.value());
    ASSERT_TRUE(back.ok()) << "row " << sample.row;
    EXPECT_EQ(back.value(), sample.slots) << "row " << sample.row;
  }
}

TEST(EncodeTest, RefusesWhatDoesNotFit) {
  Insn jump{};
  jump.op = Op::kJeq;
  jump.bits = 64;
  jump.jump = 40000;
  EXPECT_EQ(encode(jump).error(), Errno::kRange);
  Insn load{};
  load.op = Op::kLoad;
  load.bits = 64;
  load.size = 3;
  load.src_is_reg = true;
  EXPECT_EQ(encode(load).error(), Errno::kInval);
}

TEST(EncodeTest, MakesAFarJumpLong) {
  Insn jump{};
  jump.op = Op::kJa;
  jump.bits = 64;
  jump.jump = 40000;
  auto out = encode(std::span<const Insn>(&jump, 1));
  ASSERT_TRUE(out.ok());
  EXPECT_EQ(out.value()[0], raw(0x06, 0, 0, 0, 40000));
}

TEST(DecodeTest, JoinsTheHalvesOfAWideImmediate) {
  auto insns = decode(std::vector{raw(0x18, 1, 0, 0, -2), raw(0, 0, 0, 0, 0x12345678)});
  ASSERT_TRUE(insns.ok());
  EXPECT_EQ(insns.value()[0].imm, 0x12345678fffffffe);
  EXPECT_EQ(insns.value()[1].op, Op::kLdImm64Hi);
}

TEST(DecodeTest, RefusesAnEmptyProgram) {
  FieldError error;
  EXPECT_EQ(decode({}, &error).error(), Errno::kInval);
  EXPECT_FALSE(error.message.empty());
}

TEST(CheckFieldsTest, SaysWhatLinuxSays) {
  EXPECT_EQ(error_of({raw(0xff)}), "unknown opcode ff");
  EXPECT_EQ(error_of({raw(0x00)}), "unknown opcode 00");
  EXPECT_EQ(error_of({raw(0x8d)}), "unknown opcode 8d");
  EXPECT_EQ(error_of({raw(0x07, 1, 2, 0, 1)}), "BPF_ALU uses reserved fields");
  EXPECT_EQ(error_of({raw(0x37, 1, 0, 2, 1)}), "BPF_ALU uses reserved fields");
  EXPECT_EQ(error_of({raw(0x37, 1, 0, -1, 1)}), "BPF_ALU uses reserved fields");
  EXPECT_EQ(error_of({raw(0x87, 1, 0, 0, 1)}), "BPF_NEG uses reserved fields");
  EXPECT_EQ(error_of({raw(0xd4, 1, 0, 0, 8)}), "BPF_END uses reserved fields");
  EXPECT_EQ(error_of({raw(0xbc, 1, 2, 32, 0)}), "BPF_MOV uses reserved fields");
  EXPECT_EQ(error_of({raw(0xbf, 1, 2, 1, 2)}),
            "addr_space_cast insn can only convert between address space 1 and 0");
  EXPECT_EQ(error_of({raw(0x05, 1)}), "BPF_JA uses reserved fields");
  EXPECT_EQ(error_of({raw(0x06, 0, 0, 1)}), "BPF_JA uses reserved fields");
  EXPECT_EQ(error_of({raw(0x15, 1, 1)}), "BPF_JMP/JMP32 uses reserved fields");
  EXPECT_EQ(error_of({raw(0xe5, 0, 0, 1, 4)}), "invalid may_goto imm 4");
  EXPECT_EQ(error_of({raw(0x85, 0, 3, 0, 1)}), "BPF_CALL uses reserved fields");
  EXPECT_EQ(error_of({raw(0x85, 0, 0, 1, 1)}), "BPF_CALL uses reserved fields");
  EXPECT_EQ(error_of({raw(0x95, 0, 0, 0, 1)}), "BPF_EXIT uses reserved fields");
  EXPECT_EQ(error_of({raw(0x61, 1, 2, 0, 1)}), "BPF_LDX uses reserved fields");
  EXPECT_EQ(error_of({raw(0x01)}), "BPF_LDX uses reserved fields");
  EXPECT_EQ(error_of({raw(0x62, 1, 1)}), "BPF_ST uses reserved fields");
  EXPECT_EQ(error_of({raw(0x63, 1, 1, 0, 1)}), "BPF_STX uses reserved fields");
  EXPECT_EQ(error_of({raw(0xc3, 1, 1, 0, 0x10)}), "BPF_ATOMIC uses invalid atomic opcode 10");
  EXPECT_EQ(error_of({raw(0x20, 1)}), "BPF_LD_[ABS|IND] uses reserved fields");
  EXPECT_EQ(error_of({raw(0x18, 1)}), "invalid bpf_ld_imm64 insn");
  EXPECT_EQ(error_of({raw(0x18, 1), raw(0, 1)}), "invalid bpf_ld_imm64 insn");
  EXPECT_EQ(error_of({raw(0x18, 1, 7), raw(0)}), "unrecognized bpf_ld_imm64 insn");
  EXPECT_EQ(error_of({raw(0x18, 1, 1), raw(0, 0, 0, 0, 1)}), "unrecognized bpf_ld_imm64 insn");
  EXPECT_EQ(error_of({raw(0x18, 1, 0, 1), raw(0)}), "BPF_LD_IMM64 uses reserved fields");
  EXPECT_EQ(error_of({raw(0xb7, 11)}), "R11 is invalid");
  EXPECT_EQ(error_of({raw(0xbf, 12, 13)}), "R13 is invalid");
}

TEST(CheckFieldsTest, KeepsTheKernelsOrder) {
  // Unknown opcodes anywhere come before reserved fields; fields before registers.
  EXPECT_EQ(error_of({raw(0x07, 1, 2), raw(0xff)}), "unknown opcode ff");
  EXPECT_EQ(error_of({raw(0x07, 12, 2)}), "BPF_ALU uses reserved fields");
}

TEST(CheckFieldsTest, EveryReservedBitIsRefused) {
  // Flip each field of a legal slot to an illegal value: it must never decode.
  for (const Sample& sample : row_samples()) {
    const Row& row = kRows[sample.row];
    auto with = [&](auto&& change) {
      std::vector<RawInsn> program = sample.slots;
      change(program[0]);
      return program;
    };
    if (row.dst.role == Role::kNone) { EXPECT_TRUE(check_fields(with([](RawInsn& r) { r.dst = 1; }))); }
    if (row.src.role == Role::kNone) { EXPECT_TRUE(check_fields(with([](RawInsn& r) { r.src = 15; }))); }
    if (row.off.role == Role::kZero) { EXPECT_TRUE(check_fields(with([](RawInsn& r) { r.off = 77; }))); }
    if (row.imm.role == Role::kZero) { EXPECT_TRUE(check_fields(with([](RawInsn& r) { r.imm = 77; }))); }
    if (row.dst.is_register()) { EXPECT_TRUE(check_fields(with([](RawInsn& r) { r.dst = 11; }))); }
    if (row.src.is_register()) { EXPECT_TRUE(check_fields(with([](RawInsn& r) { r.src = 11; }))); }
  }
}

TEST(CheckImmediateTest, RefusesZeroDivisorsAndWideShifts) {
  auto of = [](RawInsn slot) { return check_immediate(decode(std::span<const RawInsn>(&slot, 1)).value()[0]); };
  EXPECT_EQ(of(raw(0x37, 1)), "div by zero");
  EXPECT_EQ(of(raw(0x94, 1, 0, 1)), "div by zero");
  EXPECT_EQ(of(raw(0x67, 1, 0, 0, 64)), "invalid shift 64");
  EXPECT_EQ(of(raw(0xc4, 1, 0, 0, 32)), "invalid shift 32");
  EXPECT_EQ(of(raw(0x77, 1, 0, 0, -1)), "invalid shift -1");
  EXPECT_EQ(of(raw(0x67, 1, 0, 0, 63)), "");
  EXPECT_EQ(of(raw(0x3f, 1, 2)), "");
}

}  // namespace
}  // namespace ring3::isa
