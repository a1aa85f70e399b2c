// verify() as a whole: walking every path and pruning covered ones must agree.
#include "verifier/verifier.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using testing::TextLog;
using testing::TestProgram;

struct Outcome {
  bool accepted = false;
  Errno error{};
  std::uint32_t insns_processed = 0;
  std::string log;
};

Outcome judge(const std::string& text, const Limits& limits, std::uint32_t log_level = 0) {
  TestProgram program(text);
  program.input.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
  TextLog log(log_level);
  const model::Facts facts;
  const auto verdict = verify(program.input, facts, limits, log);
  Outcome out;
  out.accepted = verdict.ok();
  if (verdict.ok()) out.insns_processed = verdict.value().stats.insns_processed;
  else out.error = verdict.error();
  out.log = log.text;
  return out;
}

// Outside the packet a load ends its function with 0, and the caller goes on.
TEST(VerifierTest, LegacyPacketLoadsInFunctionsNeedATypedFunction) {
  const std::string load = "r6 = r1\nr0 = *(u8 *)skb[0]\nr0 = 1\nexit\n";
  EXPECT_TRUE(judge(load, Limits{}).accepted);
  const Outcome untyped = judge("r6 = r1\ncall sub\nr0 = 0\nexit\nsub:\n" + load, Limits{}, 1);
  EXPECT_FALSE(untyped.accepted);
  EXPECT_NE(untyped.log.find("LD_ABS is not allowed in subprogs without BTF"), std::string::npos) << untyped.log;
}

/// Small programs over numbers, copies, spills and forward jumps that end in a stack access at an offset computed
/// from all of it: whether it is in bounds depends on what precision tracking remembers.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::string program() {
    std::string out = "call bpf_get_prandom_u32\nr6 = r0\ncall bpf_get_prandom_u32\nr7 = r0\nr8 = 3\nr9 = 60\n";
    for (int k = 1; k <= 3; ++k) out += "*(u64 *)(r10 -" + std::to_string(8 * k) + ") = 5\n";
    const int count = 10 + pick(8);
    for (int i = 0; i < count; ++i) out += "l" + std::to_string(i) + ":\n" + statement(i, count);
    const std::string last = reg();
    out += "l" + std::to_string(count) + ":\n";
    if (pick(2) == 0) out += last + " &= 0x7f\n";
    out += "if " + last + " > " + std::to_string(56 + pick(12)) + " goto out\n";
    out += "r1 = r10\nr1 += -64\nr1 += " + reg() + "\nr0 = *(u8 *)(r1 +0)\nout:\nr0 = 0\nexit\n";
    return out;
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<std::uint32_t>(n)); }
  std::string reg() { return "r" + std::to_string(6 + pick(4)); }
  std::string slot() { return "(r10 -" + std::to_string(8 * (1 + pick(3))) + ")"; }
  std::string small() { return std::to_string(pick(70)); }
  std::string statement(int at, int count) {
    const std::string target = "l" + std::to_string(at + 1 + pick(count - at));
    switch (pick(12)) {
      case 0: return reg() + " = " + reg() + "\n";
      case 1: return reg() + " += " + small() + "\n";
      case 2: return reg() + " &= " + small() + "\n";
      case 3: return reg() + " = " + small() + "\n";
      case 4: return reg() + " >>= 1\n";
      case 5: return reg() + " += " + reg() + "\n";
      case 6: return "*(u64 *)" + slot() + " = " + reg() + "\n";
      case 7: return reg() + " = *(u64 *)" + slot() + "\n";
      case 8: return reg() + " = *(u32 *)" + slot() + "\n";
      case 9: return "if " + reg() + " > " + reg() + " goto " + target + "\n";
      case 10: return "if " + reg() + " == " + small() + " goto " + target + "\n";
      default: return "if " + reg() + " < " + small() + " goto " + target + "\n";
    }
  }

  std::mt19937 random_;
};

TEST(VerifierTest, PruningAgreesWithWalkingEveryPath) {
  int accepted = 0, refused = 0;
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    const std::string text = Generator(seed).program();
    const Outcome pruned = judge(text, Limits{});
    Limits every_path;
    every_path.no_pruning = true;
    const Outcome full = judge(text, every_path);
    ASSERT_EQ(pruned.accepted, full.accepted) << "seed " << seed << "\n" << text << judge(text, Limits{}, 2).log;
    if (pruned.accepted) {
      EXPECT_LE(pruned.insns_processed, full.insns_processed);
    }
    ++(pruned.accepted ? accepted : refused);
  }
  // The generator is worth something only while both happen.
  EXPECT_GT(accepted, 100);
  EXPECT_GT(refused, 100);
}

TEST(VerifierTest, VerbosityDoesNotChangeTheVerdict) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const std::string text = Generator(seed).program();
    const Outcome quiet = judge(text, Limits{}), loud = judge(text, Limits{}, kLogStates);
    EXPECT_EQ(quiet.accepted, loud.accepted);
    EXPECT_EQ(quiet.insns_processed, loud.insns_processed);
  }
}

// Forty calls of one function, each made or not, and a number that tells how often: 40 * 41 / 2 states, each walked once. States that
// other calls left at the function's first instruction neither cover a path nor cost one that could.
TEST(VerifierTest, StatesAreComparedPerCall) {
  constexpr unsigned kCalls = 40, kBetween = 3, kBody = 60;
  std::string text = "r6 = r1\nr9 = 0\n";
  for (unsigned i = 0; i < kCalls; ++i) {
    const std::string past = "past" + std::to_string(i);
    text += "r1 = *(u32 *)(r6 +0)\n";
    for (unsigned j = 0; j < kBetween; ++j) text += "r1 ^= 1\n";
    text += "if r1 == 0 goto " + past + "\ncall f\nr9 += 1\n" + past + ":\n";
  }
  text += "r1 = r10\nr1 += -64\nr1 += r9\nr0 = *(u8 *)(r1 +0)\nr0 = 0\nexit\nf:\nr0 = r1\n";
  for (unsigned i = 0; i < kBody; ++i) text += "r0 ^= r1\n";
  const Outcome outcome = judge(text + "exit\n", Limits{});
  EXPECT_TRUE(outcome.accepted) << outcome.log;
  EXPECT_LT(outcome.insns_processed, kCalls * (kCalls + 1) / 2 * (kBody + kBetween + 15));
}

// Rounds of a loop that may be left at each step: each is walked once. What follows one that was left is covered by what followed
// the whole one, whose states are complete by then and are compared again, however long they were in vain.
TEST(VerifierTest, StatesAreComparedAgainWhenTheyAreComplete) {
  constexpr unsigned kRounds = 15, kSteps = 64, kStep = 12;
  const std::string text =
      "r6 = r1\nr0 = 0\nr2 = 0\ngoto round\nleft:\nr5 = r4\nbehind:\nr0 += r5\nr0 += 1\nr2 += 1\nif r2 != 15 goto round\nr0 = 0\nexit\n"
      "round:\nr4 = 0\nstep:\nr5 = r6\nr3 = r6\nr3 = *(u32 *)(r3 +0)\nr5 = *(u32 *)(r5 +4)\nif r5 != r3 goto left\nr5 = 64\nr4 += 1\n"
      "if r4 == 64 goto behind\ngoto step\n";
  const Outcome outcome = judge(text, Limits{});
  EXPECT_TRUE(outcome.accepted) << outcome.log;
  EXPECT_LT(outcome.insns_processed, kRounds * kSteps * kStep);
}

TEST(VerifierTest, TheWalkEndsAtTheLimit) {
  Limits limits;
  limits.max_insns_processed = 1000;
  const Outcome outcome = judge("r6 = 0\nloop:\nr6 += 1\nif r6 != 2000 goto loop\nr0 = 0\nexit\n", limits, 1);
  EXPECT_FALSE(outcome.accepted);
  EXPECT_EQ(outcome.error, Errno::kTooBig);
  EXPECT_NE(outcome.log.find("BPF program is too large"), std::string::npos);
}

// A state at every other instruction of a loop, each with two functions' whole stacks.
TEST(VerifierTest, TheWalkTakesNoMoreMemoryThanItIsGiven) {
  std::string fill;
  for (unsigned slot = 1; slot <= 32; ++slot) fill += "*(u64 *)(r10 -" + std::to_string(8 * slot) + ") = 0\n";
  TestProgram program(fill + "call f\nr0 = 0\nexit\nf:\n" + fill + "r6 = 0\nloop:\nr6 += 1\nif r6 != 4000 goto loop\nr0 = 0\nexit\n");
  program.input.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
  program.input.flags = uapi::BPF_F_TEST_STATE_FREQ;
  EXPECT_EQ(program.judge(), "accepted");
  Limits limits;
  limits.max_memory_bytes = 16 << 20;
  TextLog log(1);
  const auto verdict = verify(program.input, {}, limits, log);
  ASSERT_FALSE(verdict.ok());
  EXPECT_EQ(verdict.error(), Errno::kTooBig);
  EXPECT_NE(log.text.find("The states of the program take more than 16777216 bytes of memory."), std::string::npos);
}

// What is found out before the walk takes time in the length of the program, not in its square: with blocks that stand the wrong way
// round it was most of the time of a load.
TEST(VerifierTest, BlocksMayStandInAnyOrder) {
  constexpr unsigned kBlocks = 12'000;
  std::string text = "r0 = 0\ngoto b0\n";
  for (unsigned k = kBlocks; k-- > 0;)
    text += "b" + std::to_string(k) + ":\nr0 += 1\ngoto " + (k + 1 == kBlocks ? "last" : "b" + std::to_string(k + 1)) + "\n";
  EXPECT_TRUE(judge(text + "last:\nr0 = 0\nexit\n", Limits{}).accepted);
}

}  // namespace
}  // namespace ring3::verifier
