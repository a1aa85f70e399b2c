// The text of scalars, as Linux 6.12 prints them for the same registers.
#include "verifier/domain/scalar_format.h"

#include <gtest/gtest.h>

#include "verifier/domain/scalar_alu.h"
#include "verifier/domain/scalar_branch.h"

namespace ring3::verifier {
namespace {

using isa::Op;

std::string text(const Scalar64& s, bool precise = false, std::uint32_t id = 0, std::int32_t added = 0) {
  StringSink sink;
  write_scalar(sink, s, precise, id, added);
  return sink.take();
}
Scalar64 number(std::int64_t x) { return Scalar64::constant(static_cast<std::uint64_t>(x)); }
Scalar64 full(Op op, const Scalar64& a, std::int64_t imm) { return binary_alu(op, Half::kFull, a, number(imm)); }

TEST(ScalarFormatTest, ConstantsAreDecimalWhileShort) {
  EXPECT_EQ("0", text(number(0)));
  EXPECT_EQ("-32768", text(number(-32768)));
  EXPECT_EQ("0xffffffffffff7fff", text(number(-32769)));
  EXPECT_EQ("32767", text(number(32767)));
  EXPECT_EQ("0x8000", text(number(32768)));
  EXPECT_EQ("P5", text(number(5), true));
}

TEST(ScalarFormatTest, UnknownPartsAreLeftOutAndEqualOnesJoined) {
  EXPECT_EQ("scalar()", text(Scalar64::unknown()));
  EXPECT_EQ("Pscalar(id=3)", text(Scalar64::unknown(), true, 3));
  const Scalar64 byte = loaded(1, false);
  EXPECT_EQ("scalar(smin=smin32=0,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))", text(byte));
  EXPECT_EQ("scalar(smin=smin32=0,smax=umax=smax32=umax32=0xff00000,var_off=(0x0; 0xff00000))",
            text(full(Op::kLsh, byte, 20)));
  EXPECT_EQ("scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))", text(loaded(4, false)));
  EXPECT_EQ("scalar(smin=smin32=-128,smax=smax32=127)", text(loaded(1, true)));
}

TEST(ScalarFormatTest, NegativeBoundsStayApartFromUnsignedOnes) {
  const Scalar64 two_bits = full(Op::kAnd, Scalar64::unknown(), 3);
  EXPECT_EQ(
      "scalar(id=1-100000,smin=0xfffffffffffe7960,smax=0xfffffffffffe7963,umin=0xfffffffffffe7960,"
      "umax=0xfffffffffffe7963,smin32=umin32=0xfffe7960,smax32=umax32=0xfffe7963,var_off=(0xfffffffffffe7960; 0x3))",
      text(full(Op::kSub, two_bits, 100000), false, 1, -100000));
  EXPECT_EQ(
      "scalar(smin=0xfffffffffffeee90,smax=smax32=0xfeeee90,umin=umin32=0xeee90,umax=0xfffffffffffeee90,"
      "smin32=0xfffeee90,umax32=0xfffeee90,var_off=(0xeee90; 0xfffffffffff00000))",
      text(full(Op::kSub, full(Op::kLsh, loaded(1, false), 20), 70000)));
}

TEST(ScalarFormatTest, ConditionsPrintAsInTheKernelLog) {
  Scalar64 r = Scalar64::unknown();
  ASSERT_TRUE(refine(Op::kJsge, false, Half::kFull, r, static_cast<std::uint64_t>(-100000LL)));
  EXPECT_EQ("scalar(smax=0xfffffffffffe795f,umin=0x8000000000000000,umax=0xfffffffffffe795f,"
            "var_off=(0x8000000000000000; 0x7fffffffffffffff))", text(r));
  r = Scalar64::unknown();
  ASSERT_TRUE(refine(Op::kJsge, true, Half::kFull, r, static_cast<std::uint64_t>(-100000LL)));
  EXPECT_EQ("scalar(smin=0xfffffffffffe7960)", text(r));
  Scalar64 low = r;
  ASSERT_TRUE(refine(Op::kJsgt, false, Half::kFull, low, 5));
  EXPECT_EQ("scalar(smin=0xfffffffffffe7960,smax=smax32=5,smin32=0xfffe7960)", text(low));
  ASSERT_TRUE(refine(Op::kJsgt, true, Half::kFull, r, 5));
  EXPECT_EQ("scalar(smin=umin=6,umax=0x7fffffffffffffff,var_off=(0x0; 0x7fffffffffffffff))", text(r));
}

}  // namespace
}  // namespace ring3::verifier
