#include "isa/semantics.h"

#include <gtest/gtest.h>

namespace ring3::isa {
namespace {

// Everything is constexpr: these are checked by the compiler.
static_assert(alu<64>(Op::kAdd, ~0ull, 1) == 0);
static_assert(alu<32>(Op::kAdd, 0xffffffff, 1) == 0);
static_assert(alu<32>(Op::kSub, 0, 1) == 0xffffffff);
static_assert(alu<32>(Op::kMov, 0, 0x1234567890abcdef) == 0x90abcdef);
static_assert(alu<64>(Op::kDiv, 5, 0) == 0 && alu<64>(Op::kMod, 5, 0) == 5);
static_assert(alu<32>(Op::kMod, 0xffffffff00000005, 0) == 5);
static_assert(alu<32>(Op::kDiv, 0xffffffff00000006, 0x700000002) == 3);
static_assert(alu<64>(Op::kSdiv, 5, 0) == 0 && alu<64>(Op::kSmod, 5, 0) == 5);
static_assert(alu<64>(Op::kSdiv, 1ull << 63, ~0ull) == 1ull << 63 && alu<64>(Op::kSmod, 1ull << 63, ~0ull) == 0);
static_assert(alu<32>(Op::kSdiv, 1ull << 31, 0xffffffff) == 1ull << 31 && alu<32>(Op::kSmod, 1ull << 31, 0xffffffff) == 0);
static_assert(alu<64>(Op::kSdiv, static_cast<std::uint64_t>(-13), 3) == static_cast<std::uint64_t>(-4));
static_assert(alu<64>(Op::kSmod, static_cast<std::uint64_t>(-13), 3) == static_cast<std::uint64_t>(-1));
static_assert(alu<64>(Op::kLsh, 1, 64) == 1 && alu<64>(Op::kLsh, 1, 65) == 2 && alu<32>(Op::kLsh, 1, 33) == 2);
static_assert(alu<64>(Op::kArsh, 1ull << 63, 63) == ~0ull && alu<32>(Op::kArsh, 1ull << 31, 31) == 0xffffffff);
static_assert(alu<32>(Op::kRsh, 0xffffffff80000000, 31) == 1);
static_assert(alu<64>(Op::kNeg, 1ull << 63, 0) == 1ull << 63 && alu<32>(Op::kNeg, 1, 0) == 0xffffffff);
static_assert(movsx<64>(0x80, 8) == 0xffffffffffffff80 && movsx<32>(0x80, 8) == 0xffffff80);
static_assert(movsx<64>(0x180000000, 32) == 0xffffffff80000000 && movsx<64>(0x7fff, 16) == 0x7fff);
static_assert(byte_swap(0x1122334455667788, 16) == 0x8877 && byte_swap(0x1122334455667788, 32) == 0x88776655);
static_assert(byte_swap(0x1122334455667788, 64) == 0x8877665544332211 && keep_low(~0ull, 16) == 0xffff);
static_assert(jump_taken<32>(Op::kJeq, 0x100000001, 1) && !jump_taken<64>(Op::kJeq, 0x100000001, 1));
static_assert(jump_taken<32>(Op::kJslt, 0xffffffff, 0) && !jump_taken<64>(Op::kJslt, 0xffffffff, 0));
static_assert(atomic_result<32>(Op::kAtomicFetchXor, 0xf, 0x1) == 0xe && atomic_result<64>(Op::kAtomicXchg, 1, 2) == 2);

TEST(SemanticsTest, SmallWidthsAgreeWithWideOnesOnWhatFits) {
  // The proofs at small widths are worth something only if those widths behave like the machine's: results at
  // 5 bits equal the low 5 bits of results on sign- or zero-extended operands, for the operations where that holds.
  for (std::uint64_t a = 0; a < 32; ++a)
    for (std::uint64_t b = 0; b < 32; ++b) {
      for (Op op : {Op::kAdd, Op::kSub, Op::kMul, Op::kOr, Op::kAnd, Op::kXor, Op::kMov, Op::kDiv, Op::kMod})
        EXPECT_EQ(alu<5>(op, a, b), truncate<5>(alu<64>(op, a, b)));
      const auto sa = static_cast<std::uint64_t>(sign_extend<5>(a));
      const auto sb = static_cast<std::uint64_t>(sign_extend<5>(b));
      for (Op op : {Op::kSdiv, Op::kSmod, Op::kNeg}) EXPECT_EQ(alu<5>(op, a, b), truncate<5>(alu<64>(op, sa, sb)));
      for (Op op : {Op::kJsgt, Op::kJsge, Op::kJslt, Op::kJsle, Op::kJeq})
        EXPECT_EQ(jump_taken<5>(op, a, b), jump_taken<64>(op, sa, sb));
      for (Op op : {Op::kJgt, Op::kJge, Op::kJlt, Op::kJle, Op::kJne, Op::kJset})
        EXPECT_EQ(jump_taken<5>(op, a, b), jump_taken<64>(op, a, b));
    }
}

TEST(SemanticsTest, ComparisonsAreOpposites) {
  constexpr std::pair<Op, Op> opposites[] = {{Op::kJeq, Op::kJne}, {Op::kJgt, Op::kJle}, {Op::kJge, Op::kJlt},
                                             {Op::kJsgt, Op::kJsle}, {Op::kJsge, Op::kJslt}};
  for (auto [op, opposite] : opposites)
    for (std::uint64_t a = 0; a < 16; ++a)
      for (std::uint64_t b = 0; b < 16; ++b) EXPECT_NE(jump_taken<4>(op, a, b), jump_taken<4>(opposite, a, b));
}

TEST(SemanticsTest, QuotientAndRemainderBelongTogether) {
  for (std::uint64_t a = 0; a < 64; ++a)
    for (std::uint64_t b = 1; b < 64; ++b) {
      const std::uint64_t q = alu<6>(Op::kSdiv, a, b), r = alu<6>(Op::kSmod, a, b);
      EXPECT_EQ(truncate<6>(q * b + r), a);
      EXPECT_EQ(truncate<6>(alu<6>(Op::kDiv, a, b) * b + alu<6>(Op::kMod, a, b)), a);
    }
}

}  // namespace
}  // namespace ring3::isa
