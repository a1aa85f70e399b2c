#include "exec/jit/carried.h"

#include <gtest/gtest.h>

#include "isa/assemble.h"
#include "isa/decode.h"

namespace ring3::exec::jit {
namespace {

/// Whether the jump over one instruction behind `mark` depends on what that one gave a turn ago.
bool carried(std::string_view text, std::uint32_t jump) {
  rewrite::XlatedProgram program;
  program.insns = isa::decode(isa::assemble(text).value()).value();
  program.subprogs.push_back({0, static_cast<std::uint32_t>(program.insns.size()), 64});
  const CheckedProgram checked = check_program(program).value();
  ProgramShape shape = analyse(program, checked);
  const Plan plan = make_plan(program, checked, shape);
  return is_carried(program.insns, shape, plan, jump, jump + 1);
}

TEST(CarriedTest, ACreditThatIsSpentWaitsForItself) {
  EXPECT_TRUE(carried(R"(
      r2 = 1000
      r3 = 100
    again:
      r5 = *(u8 *)(r1 +0)
      if r5 <= r2 goto spend
      r5 = 0
    spend:
      r2 -= r5
      if r2 < 10 goto full
      r2 = 10
    full:
      r3 += -1
      if r3 != 0 goto again
      r0 = r2
      exit
  )", 3));
}

TEST(CarriedTest, ASumOfSomeElementsDoesNot) {
  EXPECT_FALSE(carried(R"(
      r0 = 0
      r3 = 100
    again:
      r5 = *(u8 *)(r1 +0)
      if r5 > 7 goto over
      r0 += r5
    over:
      r3 += -1
      if r3 != 0 goto again
      exit
  )", 3));
}

TEST(CarriedTest, WhatIsLoadedDependsOnNothing) {
  EXPECT_FALSE(carried(R"(
      r2 = r1
      r3 = 100
    again:
      r5 = *(u8 *)(r2 +0)
      if r5 > 7 goto over
      r2 += 1
    over:
      r3 += -1
      if r3 != 0 goto again
      r0 = 0
      exit
  )", 3));
}

TEST(CarriedTest, OutsideOfLoopsNothingIs) {
  EXPECT_FALSE(carried("r0 = 1\nr2 = *(u64 *)(r1 +0)\nif r2 > r0 goto over\nr0 = 5\nover: exit", 2));
}

}  // namespace
}  // namespace ring3::exec::jit
