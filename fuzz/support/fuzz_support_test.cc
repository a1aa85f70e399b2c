// What the verifier's fuzz target is made of: edits keep what a program does (run on the target's machine, all forms give the same), the
// machine sees wrong uses of iterators, logs of a kernel are read.
#include "fuzz/support/layout.h"

#include <gtest/gtest.h>

#include <string>

#include "fuzz/support/concrete_machine.h"
#include "fuzz/support/fuzz_world.h"
#include "fuzz/support/kernel_path.h"
#include "isa/assemble.h"
#include "isa/decode.h"

namespace ring3::fuzz {
namespace {

using Program = std::vector<isa::RawInsn>;

class Names final : public isa::Symbols {
 public:
  bool kfunc(std::string_view name, std::int32_t& id, std::int16_t& off) const override {
    id = static_cast<std::int32_t>(world().facts.host_btf->find(name, btf::Kind::kFunc));
    off = 0;
    return id != 0;
  }
  bool map(std::string_view, std::int32_t& fd) const override { return fd = 0, true; }
};

Program assembled(const std::string& text) {
  const Names names;
  isa::AssembleError wrong;
  auto out = isa::assemble(text, &wrong, &names);
  EXPECT_TRUE(out.ok()) << wrong.message;
  return out.ok() ? *out : Program{};
}

std::uint64_t result_of(const Program& program, std::uint32_t rounds) {
  const auto insns = isa::decode(program);
  EXPECT_TRUE(insns.ok());
  if (!insns.ok()) return 0;
  EXPECT_TRUE(ConcreteMachine::knows(*insns));
  std::vector<std::byte> context(64);
  for (std::size_t i = 0; i < context.size(); ++i) context[i] = static_cast<std::byte>(i * 37 + 11);
  ConcreteMachine machine(*insns, context, rounds);
  const RunEnd end = machine.run(100'000, 0, [](const verifier::ConcreteState&) { return true; });
  EXPECT_TRUE(end.finished) << end.fault << " at " << end.idx;
  return end.r0;
}

void all_forms_give_the_same(const Program& program) {
  ASSERT_TRUE(is_editable(program));
  for (const std::uint32_t rounds : {0u, 1u, 5u}) {
    const std::uint64_t expected = result_of(program, rounds);
    EXPECT_EQ(result_of(with_nops(program, 0xb6db6db6db6db6db), rounds), expected);
    for (unsigned by = 1; by < 4; ++by) EXPECT_EQ(result_of(with_renamed_registers(program, by), rounds), expected);
    EXPECT_EQ(result_of(with_blocks_reversed(program), rounds), expected);
  }
}

const std::string kNumbers = "r6 = r1\nr7 = *(u64 *)(r6 +8)\nr2 = *(u32 *)(r6 +16)\nr3 = 77\nr4 = r2\nr5 = r3\nr9 = 0\ntop:\nr9 += 1\nr2 ^= r7\nr4 += r2\n"
                             "if r2 s> r5 goto other\nr7 += r3\ngoto join\nother:\nr7 -= r4\njoin:\nif r9 < 5 goto top\nr0 = r7\nr0 += r4\nexit\n";
// A function, an iterator and a loop with may_goto; r8 counts.
const std::string kLoops =
    "r6 = r1\nr8 = 0\nr1 = r10\nr1 += -8\nr2 = 3\nr3 = 9\ncall bpf_iter_num_new\nnext:\nr1 = r10\nr1 += -8\ncall bpf_iter_num_next\n"
    "if r0 == 0 goto drained\nr1 = *(u32 *)(r0 +0)\ncall sub\nr8 += r0\ngoto next\ndrained:\nr1 = r10\nr1 += -8\ncall bpf_iter_num_destroy\n"
    "r7 = 0\nagain:\nmay_goto out\nr7 += 3\ngoto again\nout:\nr0 = r8\nr0 ^= r7\nexit\nsub:\nr6 = r1\nif r6 > 4 goto large\nr0 = 100\nexit\nlarge:\n"
    "r0 = r6\nexit\n";

TEST(LayoutTest, EditsKeepWhatAProgramComputes) {
  all_forms_give_the_same(assembled(kNumbers));
  all_forms_give_the_same(assembled(kLoops));
  EXPECT_NE(result_of(assembled(kLoops), 0), result_of(assembled(kLoops), 5));
}

TEST(LayoutTest, EditsEdit) {
  const Program program = assembled(kLoops);
  EXPECT_GT(with_nops(program, 0xb6db6db6db6db6db).size(), program.size());
  EXPECT_NE(with_renamed_registers(program, 1), program);
  EXPECT_NE(with_blocks_reversed(program), program);
  EXPECT_NE(with_renamed_registers(assembled("r2 = 1\nr0 = r2\nexit\n"), 1), assembled("r2 = 1\nr0 = r2\nexit\n"));
}

TEST(LayoutTest, WhatMeansMoreThanItSaysIsNotEdited) {
  EXPECT_FALSE(is_editable({}));
  EXPECT_FALSE(is_editable({{0x20, 0, 0, 0, 14}, {0x95, 0, 0, 0, 0}}));  // loads from the packet of r6
  EXPECT_FALSE(is_editable({{0x18, 1, 0, 0, 1}}));                        // half of a wide immediate
  EXPECT_FALSE(is_editable({{0x85, 0, 1, 0, 9}, {0x95, 0, 0, 0, 0}}));    // a function that is not there
}

TEST(ConcreteMachineTest, IteratorsThatAreLeftOrUsedTooLateAreFaults) {
  const auto fault_of = [](const std::string& text) {
    const auto insns = isa::decode(assembled(text));
    ConcreteMachine machine(*insns, std::vector<std::byte>(64), 2);
    return machine.run(1000, 0, [](const verifier::ConcreteState&) { return true; }).fault;
  };
  const std::string made = "r1 = r10\nr1 += -8\nr2 = 0\nr3 = 2\ncall bpf_iter_num_new\n";
  const std::string next = "r1 = r10\nr1 += -8\ncall bpf_iter_num_next\n", ended = "r1 = r10\nr1 += -8\ncall bpf_iter_num_destroy\n";
  EXPECT_EQ(fault_of(made + next + ended + "r0 = 0\nexit\n"), "");
  EXPECT_NE(fault_of(made + "r0 = 0\nexit\n"), "");
  EXPECT_NE(fault_of(made + next + "r6 = r0\n" + ended + "r0 = *(u32 *)(r6 +0)\nexit\n"), "");
  EXPECT_NE(fault_of(made + ended + next + "r0 = 0\nexit\n"), "");
}

TEST(KernelPathTest, NumbersAndWaysAreReadFromALog) {
  const std::string log =
      "0: (61) r8 = *(u32 *)(r6 +56)         ; R6=ctx() R8=scalar(id=1,smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))\n"
      "1: (b7) r9 = -8                       ; R9=-8\n"
      "2: (85) call pc+1 4: frame1: R1=7 R2=scalar(smin=smin32=0,smax=umax=smax32=umax32=56,var_off=(0x0; 0x38))\n"
      "4: (95) exit\n";
  const auto path = path_of(log);
  ASSERT_EQ(path.size(), 4u);
  ASSERT_EQ(path[0].numbers.size(), 1u);
  EXPECT_EQ(path[0].numbers[0].regno, 8u);
  EXPECT_EQ(path[0].numbers[0].umax, 0xffffffffu);
  EXPECT_EQ(path[0].numbers[0].smin, 0);
  EXPECT_EQ(path[0].numbers[0].smin32, INT32_MIN);
  EXPECT_EQ(path[1].numbers[0].smax, -8);
  EXPECT_EQ(path[1].numbers[0].umin32, 0xfffffff8u);
  ASSERT_EQ(path[2].numbers.size(), 2u);
  EXPECT_EQ(path[2].numbers[1].umax32, 56u);

  const auto knows = [](std::int64_t most) {
    return [most](std::uint32_t from, std::uint32_t, unsigned) {
      verifier::Belief all{.walked = true, .only_numbers = true, .smin = INT64_MIN, .smax = INT64_MAX, .umin = 0, .umax = UINT64_MAX,
                           .smin32 = INT32_MIN, .smax32 = INT32_MAX, .umin32 = 0, .umax32 = UINT32_MAX};
      if (from == 2) all.smax = most;
      return all;
    };
  };
  EXPECT_FALSE(first_departure(path, knows(56)).has_value());
  ASSERT_TRUE(first_departure(path, knows(40)).has_value());
  EXPECT_EQ(first_departure(path, knows(40))->idx, 2u);
  const auto elsewhere = first_departure(path, [](std::uint32_t from, std::uint32_t, unsigned) { return verifier::Belief{.walked = from != 1}; });
  ASSERT_TRUE(elsewhere.has_value());
  EXPECT_TRUE(elsewhere->way);
}

}  // namespace
}  // namespace ring3::fuzz
