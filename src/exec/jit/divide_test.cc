// Division by constants: the compiler against what isa/semantics.h says and against the interpreter, for divisors and dividends
// around everything that is special about either. reciprocal_test.cc proves the factors at a small width.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <set>
#include <vector>

#include "exec/jit.h"
#include "exec/run_context.h"
#include "isa/semantics.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::size_t kDividends = 512;

/// r{dst} is every word of the context in turn, divided, and put back. In r9 (r8): what is left.
std::shared_ptr<const rewrite::XlatedProgram> dividing_program(const Insn& division, bool narrow_load) {
  const auto dst = division.dst;
  const std::uint8_t at = dst == 6 ? 7 : 6, left = dst == 8 ? 9 : 8;
  auto x = std::make_shared<rewrite::XlatedProgram>();
  x->insns = {
      {.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = at, .src = 1},
      {.op = Op::kMov, .bits = 64, .dst = left, .imm = kDividends},
      {.op = Op::kMov, .bits = 64, .dst = 0, .imm = 11},  // rax and rdx, which a division may need, belong to the program
      {.op = Op::kMov, .bits = 64, .dst = 3, .imm = 13},
      {.op = Op::kLoad, .bits = 64, .size = static_cast<std::uint8_t>(narrow_load ? 4 : 8), .src_is_reg = true, .dst = dst, .src = at},
      division,
      {.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = at, .src = dst},
      {.op = Op::kAdd, .bits = 64, .dst = at, .imm = 8},
      {.op = Op::kAdd, .bits = 64, .dst = left, .imm = -1},
      {.op = Op::kJne, .bits = 64, .dst = left, .jump = -6},
      {.op = Op::kMul, .bits = 64, .src_is_reg = true, .dst = 0, .src = 3},
      {.op = Op::kExit, .bits = 64},
  };
  const auto count = static_cast<std::uint32_t>(x->insns.size());
  x->subprogs = {{0, count, 0}};
  for (std::uint32_t i = 0; i < count; ++i) x->original_idx.push_back(i);
  return x;
}

std::uint64_t expected(const Insn& division, std::uint64_t dividend) {
  const auto divisor = static_cast<std::uint64_t>(division.imm);
  return division.bits == 64 ? isa::alu<64>(division.op, dividend, divisor) : isa::alu<32>(division.op, dividend, divisor);
}

/// What stands around the quotients' steps, the ends of both widths, and others.
std::vector<std::uint64_t> dividends_of(std::int64_t divisor, std::mt19937_64& random) {
  std::vector<std::uint64_t> all;
  for (const std::uint64_t base : {std::uint64_t{0}, std::uint64_t{1} << 31, std::uint64_t{1} << 32, std::uint64_t{1} << 63, std::uint64_t{0x7fffffff} << 32})
    for (std::uint64_t i = 0; i < 16; ++i) all.push_back(base + i - 8);
  const auto d = static_cast<std::uint64_t>(divisor);
  while (all.size() + 6 <= kDividends) {
    const std::uint64_t multiple = d * (random() >> random() % 64);
    for (std::uint64_t i = 0; i < 3; ++i) all.push_back(multiple + i - 1);
    for (std::uint64_t i = 0; i < 3; ++i) all.push_back(static_cast<std::uint64_t>(static_cast<std::int32_t>(multiple)) + i - 1);
  }
  while (all.size() < kDividends) all.push_back(random());
  return all;
}

std::set<std::int64_t> divisors(std::mt19937_64& random, int others) {
  std::set<std::int64_t> all;
  const auto add = [&all](std::int64_t d) {
    if (d >= INT32_MIN && d <= INT32_MAX) all.insert(d);
  };
  for (std::int64_t d = -40; d <= 40; ++d) add(d);
  for (int bit = 5; bit <= 31; ++bit)
    for (int off = -1; off <= 1; ++off)
      for (const int sign : {-1, 1}) add(sign * ((std::int64_t{1} << bit) + off));
  for (const std::int64_t d : {100, 125, 641, 1000, 3600, 10000, 86400, 1000000, 1000000007}) add(d), add(-d);
  for (int i = 0; i < others; ++i) add(static_cast<std::int32_t>(random()) >> random() % 31);
  return all;
}

void expect_right(Engine& engine, const Insn& division, bool narrow_load, const std::vector<std::uint64_t>& dividends) {
  auto code = engine.compile(dividing_program(division, narrow_load));
  ASSERT_TRUE(code.ok());
  std::vector<std::uint64_t> words = dividends;
  RunContext run;
  RunScope scope(run);
  const std::uint64_t kept = code.value()->run(run, words.data());
  if (division.dst != 0 && division.dst != 3) {
    ASSERT_EQ(kept, 143u) << "r0 or r3 was lost";
  }
  for (std::size_t i = 0; i < kDividends; ++i) {
    const std::uint64_t dividend = narrow_load ? static_cast<std::uint32_t>(dividends[i]) : dividends[i];
    ASSERT_EQ(words[i], expected(division, dividend)) << "op " << static_cast<int>(division.op) << " of " << int{division.bits} << " bits, r" << int{division.dst}
                                                     << ": " << static_cast<std::int64_t>(dividend) << " by " << division.imm;
  }
}

class DivideTest : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<Engine> engine() {
    const std::string_view which = GetParam();
    if (which == "interpreter") return make_interpreter();
    if (!jit_available()) return nullptr;
    return make_jit(memory_, {.blind_constants = which == "blinding", .baseline_cpu = which == "baseline", .newest_cpu = false});
  }
  CodeMemory memory_;
};

INSTANTIATE_TEST_SUITE_P(Engines, DivideTest, testing::Values("interpreter", "compiler", "baseline", "blinding"),
                         [](const auto& which) { return std::string(which.param); });

/// RING3_DIVISORS=N: so many more of no particular kind.
TEST_P(DivideTest, ConstantsDivideAsSemanticsSay) {
  const auto tested = engine();
  if (tested == nullptr) GTEST_SKIP() << "no compiler for this machine";
  std::mt19937_64 random(5);
  const char* others = std::getenv("RING3_DIVISORS");
  for (const std::int64_t divisor : divisors(random, others != nullptr ? std::atoi(others) : 60)) {
    const std::vector<std::uint64_t> dividends = dividends_of(divisor, random);
    for (const Op op : {Op::kDiv, Op::kMod, Op::kSdiv, Op::kSmod})
      for (const std::uint8_t bits : {std::uint8_t{32}, std::uint8_t{64}})
        for (const std::uint8_t dst : {std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{2}, std::uint8_t{8}})
          for (const bool narrow_load : {false, true}) {
            expect_right(*tested, {.op = op, .bits = bits, .dst = dst, .imm = divisor}, narrow_load, dividends);
            if (HasFatalFailure()) return;
          }
  }
}

}  // namespace
}  // namespace ring3::exec::jit
