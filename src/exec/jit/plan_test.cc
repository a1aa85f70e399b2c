#include "exec/jit/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "exec/jit.h"
#include "isa/assemble.h"
#include "isa/decode.h"

namespace ring3::exec::jit {
namespace {

struct Planned {
  explicit Planned(std::string_view text) {
    program->insns = isa::decode(isa::assemble(text).value()).value();
    const auto count = static_cast<std::uint32_t>(program->insns.size());
    program->subprogs.push_back({0, count, 64});
    program->original_idx.resize(count);
    const CheckedProgram checked = check_program(*program).value();
    shape = analyse(*program, checked);
    plan = make_plan(*program, checked, shape);
  }
  std::ptrdiff_t count(Step::Action action) const {
    return std::count_if(plan.steps.begin(), plan.steps.end(), [&](const Step& s) { return s.action == action; });
  }
  std::ptrdiff_t folded() const {
    return std::count_if(plan.steps.begin(), plan.steps.end(), [](const Step& s) { return s.folded; });
  }
  const Step& first(Step::Action action) const {
    return *std::find_if(plan.steps.begin(), plan.steps.end(), [&](const Step& s) { return s.action == action; });
  }

  std::shared_ptr<rewrite::XlatedProgram> program = std::make_shared<rewrite::XlatedProgram>();
  ProgramShape shape;
  Plan plan;
};

constexpr const char* kBigEndian = R"(
    r2 = *(u8 *)(r1 +4)
    w2 <<= 24
    r0 = *(u8 *)(r1 +5)
    w0 <<= 16
    w0 |= w2
    r2 = *(u8 *)(r1 +6)
    w2 <<= 8
    w0 |= w2
    r1 = *(u8 *)(r1 +7)
    w0 |= w1
    exit
)";

TEST(PlanTest, BytesInNetworkOrderAreOneSwappedLoad) {
  const Planned p(kBigEndian);
  ASSERT_EQ(p.count(Step::kGather), 1);
  EXPECT_EQ(p.count(Step::kKeep), 1);  // exit
  const Step& load = p.first(Step::kGather);
  EXPECT_EQ(load.bytes, 4);
  EXPECT_TRUE(load.swap);
  EXPECT_EQ(load.dst, 0);
  EXPECT_EQ(load.base, 1);
  EXPECT_EQ(load.off, 4);
}

TEST(PlanTest, BytesInHostOrderAreOneLoad) {
  const Planned p("r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +1)\nr2 <<= 8\nr0 |= r2\nexit");
  ASSERT_EQ(p.count(Step::kGather), 1);
  EXPECT_EQ(p.first(Step::kGather).bytes, 2);
  EXPECT_FALSE(p.first(Step::kGather).swap);
}

TEST(PlanTest, ALoadAndASwapAreOneSwappedLoad) {
  const Planned p("r0 = *(u32 *)(r1 +8)\nr0 = be32 r0\nexit");
  ASSERT_EQ(p.count(Step::kGather), 1);
  EXPECT_TRUE(p.first(Step::kGather).swap);
}

/// What keeps bytes from being one load, each alone.
TEST(PlanTest, BytesThatAreNotOneWordStayApart) {
  const char* const texts[] = {
      // a store between the loads, and one behind them with the word still to be put together
      "r0 = *(u8 *)(r1 +0)\n*(u8 *)(r1 +1) = 7\nr2 = *(u8 *)(r1 +1)\nr2 <<= 8\nr0 |= r2\nexit",
      "r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +1)\n*(u8 *)(r1 +1) = 7\nr2 <<= 8\nr0 |= r2\nexit",
      // a part that is read by others
      "r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +1)\nr3 = r2\nr2 <<= 8\nr0 |= r2\nr0 += r3\nexit",
      // not neighbours; one of them twice; a hole
      "r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +2)\nr2 <<= 8\nr0 |= r2\nexit",
      "r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +0)\nr2 <<= 8\nr0 |= r2\nexit",
      "r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +1)\nr2 <<= 16\nr0 |= r2\nexit",
      // the pointer moves
      "r0 = *(u8 *)(r1 +0)\nr1 += 1\nr2 = *(u8 *)(r1 +1)\nr2 <<= 8\nr0 |= r2\nexit",
      // sign extension
      "r0 = *(u8 *)(r1 +0)\nr2 = *(s8 *)(r1 +1)\nr2 <<= 8\nr0 |= r2\nexit",
  };
  for (const char* text : texts) EXPECT_EQ(Planned(text).count(Step::kGather), 0) << text;
}

TEST(PlanTest, LoadsThatMayFaultStayApart) {
  auto program = std::make_shared<rewrite::XlatedProgram>();
  Planned p(kBigEndian);
  p.program->faulting = {2};
  const CheckedProgram checked = check_program(*p.program).value();
  ProgramShape shape = analyse(*p.program, checked);
  const Plan plan = make_plan(*p.program, checked, shape);
  for (const Step& step : plan.steps) EXPECT_NE(step.action, Step::kGather);
}

TEST(PlanTest, TwoShiftsAreARotation) {
  const Planned in_place("r2 = r0\nr2 >>= 51\nr0 <<= 13\nr0 |= r2\nexit");
  ASSERT_EQ(in_place.count(Step::kRotate), 1);
  EXPECT_EQ(in_place.first(Step::kRotate).amount, 13);
  EXPECT_EQ(in_place.count(Step::kKeep), 1);
  const Planned copied("w4 = w1\nw4 >>= 16\nw0 = w1\nw0 <<= 16\nw0 |= w4\nexit");
  ASSERT_EQ(copied.count(Step::kRotate), 1);
  EXPECT_EQ(copied.first(Step::kRotate).base, 1);
  EXPECT_EQ(copied.first(Step::kRotate).bits, 32);
}

TEST(PlanTest, ShiftsThatAreNoRotationStay) {
  const char* const texts[] = {
      "r2 = r0\nr2 >>= 50\nr0 <<= 13\nr0 |= r2\nexit",                 // 63 bits
      "r2 = r1\nr2 >>= 51\nr0 <<= 13\nr0 |= r2\nexit",                 // of two values
      "r2 = r0\nr2 s>>= 51\nr0 <<= 13\nr0 |= r2\nexit",                // arithmetic
      "w2 = w0\nr2 >>= 19\nr0 <<= 13\nr0 |= r2\nexit",                 // mixed widths
      "r2 = r0\nr2 >>= 51\nr0 <<= 13\nr0 |= r2\nr0 += r2\nexit",       // a half is used on
  };
  for (const char* text : texts) EXPECT_EQ(Planned(text).count(Step::kRotate), 0) << text;
}

std::ptrdiff_t bit_tests(const Planned& p) {
  return std::count_if(p.plan.steps.begin(), p.plan.steps.end(), [](const Step& s) { return s.bit_test; });
}

TEST(PlanTest, AShiftAndAMaskAreATestOfABit) {
  const Planned p("r3 = r1\nr3 >>= r2\nr3 &= 1\nif r3 == 0 goto out\n*(u8 *)(r4 +0) = 1\nout:\nr0 = 0\nexit");
  ASSERT_EQ(bit_tests(p), 1);
  EXPECT_EQ(p.plan.steps[3].base, 1);
  EXPECT_EQ(p.plan.steps[3].index, 2);
  EXPECT_EQ(p.plan.steps[3].bits, 64);
  EXPECT_EQ(p.count(Step::kDrop), 3);
  const char* const others[] = {
      "w1 >>= w2\nw1 &= 1\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
      "r1 s>>= r2\nif r1 & 1 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
      "r3 = 1\nr3 <<= r2\nif r1 & r3 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
      "w3 = 1\nw3 <<= w2\nr3 &= r1\nif r3 == 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
      "r3 = r2\nr3 &= 63\nr1 >>= r3\nr1 &= 1\nif r1 == 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
  };
  for (const char* text : others) EXPECT_EQ(bit_tests(Planned(text)), 1) << text;
}

/// What keeps a shift and a mask from being one test, each alone.
TEST(PlanTest, WhatIsMoreThanATestOfABitStays) {
  const char* const texts[] = {
      "r1 >>= r2\nr1 &= 3\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",             // two bits
      "r1 >>= r2\nr1 &= 1\nif r1 > 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
      "r1 >>= r2\nr1 &= 1\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r1\nexit",             // the bit is used on
      "r1 >>= r2\nr3 = r1\nr1 &= 1\nif r1 != 0 goto out\nr4 += r3\nout:\nr0 = r4\nexit",    // what was shifted is
      "r1 >>= r2\nr1 &= 1\nr4 += r1\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",
      "r1 >>= r2\nr2 = 5\nr1 &= 1\nif r1 != 0 goto out\nr4 += r2\nout:\nr0 = r4\nexit",     // the number is gone
      "r3 = 1\nr3 <<= r2\nr1 &= r3\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r3\nexit",     // the mask is used on
      "r3 = 2\nr3 <<= r2\nr1 &= r3\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",     // another bit
      "r3 = 1\nr3 <<= r2\nw1 &= w3\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",     // bits above 32 are not seen
      "r2 &= 63\nr3 = 1\nr3 <<= r2\nr2 &= r3\nif r2 != 0 goto out\nr4 += 1\nout:\nr0 = r4\nexit",  // of the masked number
      "r2 &= 15\nr1 >>= r2\nr1 &= 1\nif r1 != 0 goto out\nr4 += 1\nout:\nr0 = r2\nr0 += r4\nexit",
  };
  for (const char* text : texts) {
    const Planned p(text);
    if (bit_tests(p) == 0) continue;
    // The last two are tests, of what the mask left.
    EXPECT_TRUE(std::string_view(text).starts_with("r2 &=")) << text;
    EXPECT_EQ(p.count(Step::kDrop), std::string_view(text).starts_with("r2 &= 15") ? 2 : 3) << text;
  }
}

TEST(PlanTest, SumsBecomePartOfTheAddress) {
  const Planned p("r3 = r1\nr3 += r2\nr0 = *(u8 *)(r3 +5)\nexit");
  EXPECT_EQ(p.folded(), 1);
  EXPECT_EQ(p.count(Step::kDrop), 2);
  EXPECT_EQ(p.plan.steps[2].base, 1);
  EXPECT_EQ(p.plan.steps[2].index, 2);
  EXPECT_EQ(p.plan.steps[2].off, 5);
  const Planned scaled("r3 = r2\nr3 <<= 2\nr4 = r10\nr4 += -64\nr4 += r3\nr0 = *(u32 *)(r4 +4)\nexit");
  EXPECT_EQ(scaled.count(Step::kDrop), 5);
  EXPECT_EQ(scaled.plan.steps[5].shift, 2);
  EXPECT_EQ(scaled.plan.steps[5].off, -60);
}

TEST(PlanTest, SumsThatAreNeededOtherwiseStay) {
  const char* const texts[] = {
      "r3 = r1\nr3 += r2\nr0 = *(u8 *)(r3 +5)\nr0 += r3\nexit",
      "r3 = r1\nr3 += r2\nr2 = 0\nr0 = *(u8 *)(r3 +5)\nexit",       // a summand is gone
      "r3 = r1\nw3 += w2\nr0 = *(u8 *)(r3 +5)\nexit",
      "r3 = r1\nr3 += r2\n*(u64 *)(r3 +0) = r3\nr0 = 0\nexit",
  };
  for (const char* text : texts) EXPECT_EQ(Planned(text).folded(), 0) << text;
}

TEST(PlanTest, WhatNobodyReadsIsDropped) {
  const Planned p("r2 = 5\nr0 = 1\nr2 = 6\nr0 += r2\nr6 = 9\nexit");
  EXPECT_EQ(p.count(Step::kDrop), 2);
  EXPECT_EQ(p.shape.functions[0].touched & 0x40, 0);  // r6 need not be saved
}

bool holds(const Code& code, std::initializer_list<unsigned char> pattern) {
  const auto bytes = code.listing().bytes;
  const auto* first = reinterpret_cast<const unsigned char*>(bytes.data());
  return std::search(first, first + bytes.size(), pattern.begin(), pattern.end()) != first + bytes.size();
}

TEST(PlanTest, MachineCodeHasTheShortForms) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  CodeMemory memory;
  const auto compiled = [&](std::string_view text) { return make_jit(memory)->compile(Planned(text).program).value(); };
  EXPECT_TRUE(holds(*compiled("r0 = r1\nr0 += r2\nexit"), {0x48, 0x8d, 0x04, 0x37}));                 // lea rax, [rdi+rsi]
  EXPECT_TRUE(holds(*compiled("r0 = r1\nif r1 > r2 goto pc+1\nr0 = r3\nexit"), {0x48, 0x0f, 0x46}));  // cmovbe
  EXPECT_FALSE(holds(*compiled("r0 = r1\nif r1 > r2 goto pc+1\nr0 = r2\nexit"), {0x48, 0x0f, 0x46}));  // a maximum
  EXPECT_TRUE(holds(*compiled("r0 = 1\na: r0 += 1\nif r0 == 9 goto b\ngoto a\nb: exit"), {0x75}));    // jne back
  EXPECT_FALSE(holds(*compiled("r0 = r1\nr0 /= 10\nexit"), {0x48, 0xf7, 0xf1}));                      // div
  EXPECT_TRUE(holds(*compiled("r0 = *(u8 *)(r1 +0)\nr2 = *(u8 *)(r1 +1)\nr2 <<= 8\nr0 |= r2\nexit"),
                    {0x0f, 0xb7, 0x07}));                                                            // movzx eax, [rdi]
}

}  // namespace
}  // namespace ring3::exec::jit
