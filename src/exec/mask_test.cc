// What keeps programs of callers without CAP_PERFMON inside their objects when the CPU guesses wrong: masks of pointer
// arithmetic and barriers after stores, from the verifier's facts to what runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "exec/engine.h"
#include "exec/helper_table.h"
#include "exec/jit.h"
#include "rewrite/rewrite.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;
using Mask = verifier::ArithMask;

class Sink final : public verifier::LogSink {
 public:
  void write(std::string_view) override {}
};

Insn load(std::uint8_t dst, std::int16_t off) {
  return {.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = dst, .src = 1, .off = off};
}
Insn by_register(Op op, std::uint8_t dst, std::uint8_t src) {
  return {.op = op, .bits = 64, .src_is_reg = true, .dst = dst, .src = src};
}

/// r6 is the pointer, r7 the amount; the sum is returned, and r8 is what the amount is afterwards.
std::shared_ptr<const rewrite::XlatedProgram> masked(Op op, const Mask& mask) {
  const Insn arith = mask.amount_in_src ? by_register(op, 6, 7) : by_register(op, 7, 6);
  const std::vector<Insn> insns{load(6, 0), load(7, 8), arith, by_register(Op::kMov, 0, arith.dst),
                                {.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = 1, .src = 7, .off = 8},
                                {.op = Op::kExit, .bits = 64}};
  verifier::VerifiedProgram verified;
  verified.insns.assign(insns.size(), {});
  for (auto& f : verified.insns) f.reachable = true;
  verified.insns[2].mask = mask;
  verified.insns[4].needs_nospec = true;
  verified.subprogs = {{.start_idx = 0, .end_idx = static_cast<std::uint32_t>(insns.size()), .stack_bytes = 0}};
  verifier::ProgramInput input;
  input.insns = insns;
  Sink sink;
  const model::Facts facts;
  auto out = rewrite::rewrite({.program = input, .verified = verified, .facts = facts, .maps = {}, .find_helper = find_helper}, sink);
  EXPECT_TRUE(out.ok());
  return std::make_shared<const rewrite::XlatedProgram>(std::move(out).value());
}

std::vector<std::unique_ptr<Engine>> engines(CodeMemory& memory) {
  std::vector<std::unique_ptr<Engine>> all;
  all.push_back(make_interpreter());
  if (jit_available()) {
    all.push_back(make_jit(memory, {}));
    all.push_back(make_jit(memory, {.blind_constants = true}));
  }
  return all;
}

constexpr std::uint64_t kPointer = 0x7f0000001000;

TEST(MaskTest, AmountsOutOfRangeBecomeZero) {
  CodeMemory memory;
  constexpr std::int64_t kAmounts[] = {0, 1, 99, 100, 101, 4096, INT64_MAX, -1, -99, -100, -101, INT64_MIN};
  for (const auto& engine : engines(memory)) {
    for (const Op op : {Op::kAdd, Op::kSub}) {
      for (const bool negative : {false, true}) {
        for (const bool in_src : {true, false}) {
          if (op == Op::kSub && !in_src) continue;  // a pointer is not subtracted from a number
          const Mask mask{.kind = Mask::Kind::kPointer, .negative = negative, .amount_in_src = in_src, .limit = 100};
          auto code = engine->compile(masked(op, mask));
          ASSERT_TRUE(code.ok());
          for (const std::int64_t amount : kAmounts) {
            const bool in_range = negative ? amount <= 0 && amount >= -100 : amount >= 0 && amount <= 100;
            const auto moved = static_cast<std::uint64_t>(in_range ? amount : 0);
            std::array<std::uint64_t, 2> ctx{kPointer, static_cast<std::uint64_t>(amount)};
            RunContext run;
            EXPECT_EQ(code.value()->run(run, ctx.data()), op == Op::kAdd ? kPointer + moved : kPointer - moved)
                << amount << (negative ? " negative" : "") << (in_src ? " in src" : " in dst");
            if (in_src) {
              EXPECT_EQ(ctx[1], static_cast<std::uint64_t>(amount));
            }
          }
        }
      }
    }
  }
}

TEST(MaskTest, AKnownAmountIsNotRead) {
  CodeMemory memory;
  for (const auto& engine : engines(memory)) {
    for (const bool negative : {false, true}) {
      auto code = engine->compile(masked(Op::kAdd, {.kind = Mask::Kind::kPointer, .negative = negative, .constant = true,
                                                    .amount_in_src = true, .limit = 24}));
      ASSERT_TRUE(code.ok());
      std::array<std::uint64_t, 2> ctx{kPointer, 12345};
      RunContext run;
      EXPECT_EQ(code.value()->run(run, ctx.data()), negative ? kPointer - 24 : kPointer + 24);
    }
  }
}

TEST(MaskTest, NumbersAreAddedAsTheyAre) {
  CodeMemory memory;
  for (const auto& engine : engines(memory)) {
    auto code = engine->compile(masked(Op::kAdd, {.kind = Mask::Kind::kNumbers, .amount_in_src = true}));
    ASSERT_TRUE(code.ok());
    std::array<std::uint64_t, 2> ctx{5, ~std::uint64_t{0}};
    RunContext run;
    EXPECT_EQ(code.value()->run(run, ctx.data()), 4u);
  }
}

TEST(MaskTest, StoresThatNeedItEndInABarrier) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  CodeMemory memory;
  const auto program = masked(Op::kAdd, {});
  ASSERT_EQ(program->nospec.size(), 1u);
  auto code = make_jit(memory, {})->compile(program);
  ASSERT_TRUE(code.ok());
#if defined(__x86_64__)
  constexpr std::array kFence = {std::byte{0x0f}, std::byte{0xae}, std::byte{0xe8}};
  const auto bytes = code.value()->listing().bytes;
  EXPECT_NE(std::search(bytes.begin(), bytes.end(), kFence.begin(), kFence.end()), bytes.end());
#endif
}

}  // namespace
}  // namespace ring3::exec
