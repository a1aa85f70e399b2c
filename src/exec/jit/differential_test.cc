// The compiler against the interpreter on random programs.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "exec/jit/plan.h"
#include "exec/jit/random_program.h"
#include "exec/testing.h"
#include "isa/disassemble.h"

namespace ring3::exec::jit {
namespace {

struct Outcome {
  std::uint64_t r0 = 0;
  alignas(8) std::array<std::uint8_t, RandomProgram::kMemoryBytes> memory{};
};

Outcome run_on(Engine& engine, const std::shared_ptr<const rewrite::XlatedProgram>& program) {
  auto code = engine.compile(program);
  EXPECT_TRUE(code.ok());
  Outcome out;
  if (!code) return out;
  for (std::size_t i = 0; i < out.memory.size(); ++i) out.memory[i] = static_cast<std::uint8_t>(i * 37 + 11);
  RunContext run;
  RunScope scope(run);
  out.r0 = code.value()->run(run, out.memory.data());
  return out;
}

std::string text(const rewrite::XlatedProgram& program) {
  StringSink out;
  isa::disassemble(program.insns, out);
  return std::string(out.text());
}

class DifferentialTest : public ::testing::TestWithParam<JitOptions> {};

INSTANTIATE_TEST_SUITE_P(Options, DifferentialTest,
                         ::testing::ValuesIn(testing::kWaysToCompile));

TEST_P(DifferentialTest, AgreesWithTheInterpreter) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  CodeMemory memory;
  const auto jit = make_jit(memory, GetParam());
  const auto interpreter = make_interpreter();
  // RING3_SEEDS=FROM:COUNT runs others than the bounded set, for long nights.
  std::uint64_t from = 0, count = 3000;
  if (const char* seeds = std::getenv("RING3_SEEDS")) std::sscanf(seeds, "%lu:%lu", &from, &count);
  for (std::uint64_t seed = from; seed < from + count; ++seed) {
    const auto program = RandomProgram::make(seed);
    const Outcome want = run_on(*interpreter, program);
    const Outcome got = run_on(*jit, program);
    ASSERT_EQ(got.r0, want.r0) << "seed " << seed << "\n" << text(*program);
    for (std::size_t i = 0; i < want.memory.size(); ++i)
      ASSERT_EQ(got.memory[i], want.memory[i]) << "seed " << seed << ", byte " << i << "\n" << text(*program);
  }
}

/// Comparing shows something only where programs have what it is about. How many do differs by compiler, which evaluates arguments in
/// an order of its own.
TEST(RandomProgramTest, HasWhatThePlanLooksFor) {
  int gathers = 0, rotations = 0, folds = 0, bits = 0;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    const auto program = RandomProgram::make(seed);
    const CheckedProgram checked = check_program(*program).value();
    ProgramShape shape = analyse(*program, checked);
    for (const Step& step : make_plan(*program, checked, shape).steps) {
      gathers += step.action == Step::kGather;
      rotations += step.action == Step::kRotate;
      folds += step.folded;
      bits += step.bit_test;
    }
  }
  EXPECT_GT(gathers, 50);
  EXPECT_GT(rotations, 20);
  EXPECT_GT(folds, 50);
  EXPECT_GT(bits, 20);
}

}  // namespace
}  // namespace ring3::exec::jit
