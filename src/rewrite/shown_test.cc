#include "rewrite/shown.h"

#include <gtest/gtest.h>

#include <string>

#include "isa/assemble.h"
#include "isa/decode.h"
#include "uapi/bpf.h"

namespace ring3::rewrite {
namespace {

using isa::RawInsn;

class ShownTest : public ::testing::Test {
 protected:
  ShownProgram show_text(const std::string& text) {
    slots_ = isa::assemble(text).value();
    insns_ = isa::decode(slots_, nullptr).value();
    verified_.insns.assign(insns_.size(), {});
    for (auto& facts : verified_.insns) facts.reachable = true;
    for (const auto& [idx, pairs] : pairs_) verified_.insns[idx].fastcall_pairs = pairs;
    if (!subprogs_given_)
      verified_.subprogs = {{.start_idx = 0, .end_idx = static_cast<std::uint32_t>(insns_.size()), .counted_stack_bytes = 8}};
    verifier::ProgramInput in;
    in.insns = insns_;
    in.target = target_;
    return show(slots_, in, verified_, facts_);
  }
  static std::size_t at(const ShownProgram& shown, std::uint32_t loaded) { return shown.start[loaded]; }

  std::vector<std::pair<std::uint32_t, std::uint8_t>> pairs_;
  verifier::VerifiedProgram verified_;
  bool subprogs_given_ = false;
  model::AttachTarget target_;

 private:
  std::vector<RawInsn> slots_;
  std::vector<isa::Insn> insns_;
  model::Facts facts_;
};

TEST_F(ShownTest, WhatNeedsNothingStaysAndDivisionsAreGuarded) {
  const ShownProgram plain = show_text("r0 = 1\nr0 += 2\nexit\n");
  EXPECT_EQ(plain.insns.size(), 3u);
  const ShownProgram by_minus_one = show_text("r0 = 5\nr0 s/= -1\nw0 s%= -1\nexit\n");
  ASSERT_EQ(by_minus_one.insns.size(), 4u);
  EXPECT_EQ(by_minus_one.insns[1].code, 0x87);  // r0 = -r0
  EXPECT_EQ(by_minus_one.insns[2].code, 0xb4);  // w0 = 0
  const ShownProgram by_register = show_text("r1 = 1\nr2 = 2\nr1 s/= r2\nr1 /= r2\nr0 = r1\nexit\n");
  EXPECT_EQ(at(by_register, 3) - at(by_register, 2), 8u);
  EXPECT_EQ(at(by_register, 4) - at(by_register, 3), 4u);
  EXPECT_EQ(by_register.insns[at(by_register, 2)].dst, 11);
}

TEST_F(ShownTest, AMembersCodeStandsAroundItsPrograms) {
  model::StructOpsType ops;
  ops.members.resize(1);
  ops.members[0].prologue = isa::decode(isa::assemble("r6 = *(u64 *)(r1 +0)\nr6 += 1\n").value(), nullptr).value();
  ops.members[0].epilogue = isa::decode(isa::assemble("r0 = 7\nexit\n").value(), nullptr).value();
  target_ = {.kind = model::AttachTarget::Kind::kStructOpsMember, .ops = &ops};
  // Back to the start, and two exits.
  const ShownProgram shown = show_text("l:\nif r1 == 0 goto l\nif r1 == 1 goto out\nr0 = 0\nexit\nout:\nr0 = 1\nexit\n");
  ASSERT_EQ(shown.insns.size(), 11u);
  EXPECT_EQ(shown.insns[2].code, 0x7b);                         // r1 is kept …
  EXPECT_EQ(shown.insns[2].off, -16);                           // … below the 8 bytes the program uses
  EXPECT_EQ(shown.insns[3].off, -1);                            // not to the prologue
  EXPECT_EQ(shown.insns[at(shown, 3)].code, 0x79);              // the first exit: r1 comes back, then the epilogue
  EXPECT_EQ(shown.insns[10].code, 0x06);                        // the other one leads there
  EXPECT_EQ(10 + 1 + shown.insns[10].imm, static_cast<int>(at(shown, 3)));
}

TEST_F(ShownTest, JumpsLeadWhereTheyLed) {
  // Over the longer division to the exit, and back to its start.
  const ShownProgram shown = show_text("l:\nif r1 == 0 goto out\nr1 /= r2\nif r3 > 4 goto l\nout:\nr0 = 0\nexit\n");
  EXPECT_EQ(0 + 1 + shown.insns[0].off, static_cast<int>(at(shown, 3)));
  const auto back = at(shown, 2);
  EXPECT_EQ(static_cast<int>(back) + 1 + shown.insns[back].off, 0);
}

TEST_F(ShownTest, SpillsAroundFastCallsAreGone) {
  pairs_ = {{2, 1}};
  const ShownProgram shown =
      show_text("r1 = 1\n*(u64 *)(r10 - 16) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 - 16)\nexit\n");
  ASSERT_EQ(shown.insns.size(), 5u);
  EXPECT_EQ(shown.insns[2].code, 0xbf);
  EXPECT_EQ(shown.insns[2].off, -1) << "a per-CPU address";
  EXPECT_EQ(shown.start, (std::vector<std::uint32_t>{0, 1, 1, 4, 4, 5}));
}

TEST_F(ShownTest, AnInlinedLoopCallsItsCallback) {
  const std::string text = "r1 = 4\nr2 = r6\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit\nr0 = 0\nexit\n";
  verified_.subprogs = {{.start_idx = 0, .end_idx = 7}, {.start_idx = 7, .end_idx = 9}};
  subprogs_given_ = true;
  const ShownProgram before = show_text(text);
  EXPECT_EQ(before.insns.size(), 9u) << "nothing is known of the call";
  verifier::InsnFacts facts;
  facts.reachable = true;
  facts.callee = 1;
  facts.const_args_known = 1 << 3;
  isa::Insn loop{.op = isa::Op::kCallHelper, .bits = 64, .imm = uapi::BPF_FUNC_loop};
  EXPECT_TRUE(verifier::becomes_inline_loop(loop, facts));
  facts.const_arg[3] = 1;
  EXPECT_FALSE(verifier::becomes_inline_loop(loop, facts)) << "flags are refused at run time";
}

}  // namespace
}  // namespace ring3::rewrite
