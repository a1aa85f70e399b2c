#include <gtest/gtest.h>

#include <algorithm>

#include "exec/engine.h"
#include "exec/fault.h"
#include "exec/jit.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

std::shared_ptr<rewrite::XlatedProgram> program_of(std::string_view text) {
  isa::AssembleError error;
  auto raw = isa::assemble(text, &error);
  EXPECT_TRUE(raw.ok()) << error.line << ": " << error.message;
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(raw.value()).value();
  std::vector<std::uint32_t> starts{0};
  for (std::uint32_t idx = 0; idx < program->insns.size(); ++idx)
    if (program->insns[idx].op == isa::Op::kCallSubprog)
      starts.push_back(idx + 1 + static_cast<std::uint32_t>(program->insns[idx].jump));
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  for (std::size_t i = 0; i < starts.size(); ++i)
    program->subprogs.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1]
                                                                  : static_cast<std::uint32_t>(program->insns.size()), 64});
  return program;
}

/// What every tier must do. The parameter names the tier.
class EngineTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string tier = GetParam();
    if (tier == "interpreter") engine_ = make_interpreter();
    else if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
    else engine_ = make_jit(memory_, {.blind_constants = tier == "blinding"});
  }

  Errno compile_error(std::string_view text) {
    auto code = engine_->compile(program_of(text));
    EXPECT_FALSE(code.ok()) << text;
    return code.ok() ? Errno{} : code.error();
  }

  std::uint64_t run_text(std::string_view text, void* ctx = nullptr) {
    auto code = engine_->compile(program_of(text));
    EXPECT_TRUE(code.ok());
    RunContext run;
    return code.ok() ? code.value()->run(run, ctx) : 0;
  }

  std::unique_ptr<Code> with_tail_call(std::string_view text, const Code* target);

  CodeMemory memory_;
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Tier, EngineTest, testing::Values("interpreter", "jit", "blinding"),
                         [](const auto& tier) { return std::string(tier.param); });

TEST_P(EngineTest, RunsStraightLinesAndLoops) {
  EXPECT_EQ(run_text("r0 = 7\nexit"), 7u);
  EXPECT_EQ(run_text("r0 = 0x123456789abcdef0 ll\nexit"), 0x123456789abcdef0u);
  EXPECT_EQ(run_text("r3 = 0x123456789abcdef0 ll\nr0 = r3\nexit"), 0x123456789abcdef0u);
  EXPECT_EQ(run_text("r0 = 0\nr1 = 10\nloop: r0 += r1\nr1 += -1\nif r1 != 0 goto loop\nexit"), 55u);
  EXPECT_EQ(run_text("r0 = 1\ngotol over\nr0 = 2\nover: exit"), 1u);
}

TEST_P(EngineTest, GivesEachFrameAStackAndKeepsCalleeSavedRegisters) {
  EXPECT_EQ(run_text(R"(
      r6 = 100
      *(u64 *)(r10 -8) = 1
      r1 = r10
      r1 += -8
      call sub
      r0 += r6
      r2 = *(u64 *)(r10 -8)
      r0 += r2
      exit
    sub:
      r6 = 5
      *(u64 *)(r10 -8) = 20       # its own frame
      *(u64 *)(r1 +0) = 1000      # its caller's
      r0 = *(u64 *)(r10 -8)
      exit
  )"), 20u + 100 + 1000);
}

TEST_P(EngineTest, ShowsZeroesWhereTheProgramWroteNothing) {
  EXPECT_EQ(run_text("r6 = *(u64 *)(r10 -64)\ncall sub\nr0 |= r6\nexit\nsub: r0 = *(u64 *)(r10 -64)\nexit"), 0u);
}

TEST_P(EngineTest, EndsLoopsWithoutBound) {
  EXPECT_EQ(run_text("r0 = 0\nloop: may_goto out\nr0 += 1\ngoto loop\nout: exit"), rewrite::kMayGotoBudget);
}

TEST_P(EngineTest, CallsHelpersWithFiveArgumentsAndTheRun) {
  auto program = program_of("r1 = 1\nr2 = 2\nr3 = 3\nr4 = 4\nr5 = 5\ncall 0\nexit");
  program->helpers.push_back({5, "fake", [](std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                                            std::uint64_t e, RunContext& run) -> std::uint64_t {
                                return a * 10000 + b * 1000 + c * 100 + d * 10 + e + run.attach_cookie;
                              }});
  auto code = engine_->compile(program);
  ASSERT_TRUE(code.ok());
  RunContext run;
  run.attach_cookie = 100000;
  EXPECT_EQ(code.value()->run(run, nullptr), 112345u);
}

std::int8_t narrow(std::uint64_t value) { return static_cast<std::int8_t>(value); }

TEST_P(EngineTest, ExtendsNarrowKfuncResultsAsDeclared) {
  auto program = program_of("r1 = 128\ncall kernel-function#0\nexit");
  program->kfuncs.push_back({"narrow", reinterpret_cast<void*>(&narrow), 1, true});
  RunContext run;
  EXPECT_EQ(engine_->compile(program).value()->run(run, nullptr), ~0ull - 127);
  program->kfuncs[0].ret_signed = false;
  EXPECT_EQ(engine_->compile(program).value()->run(run, nullptr), 128u);
}

TEST_P(EngineTest, LetsHelpersCallSubprogramsBack) {
  // The callback adds its argument to a variable on the caller's stack.
  auto program = program_of(R"(
      *(u64 *)(r10 -8) = 0
      r1 = 1
      r2 = r10
      r2 += -8
      call 0
      r0 = *(u64 *)(r10 -8)
      exit
      call back
      exit
    back:
      *(u64 *)(r10 -8) = 7
      r3 = *(u64 *)(r2 +0)
      r3 += r1
      *(u64 *)(r2 +0) = r3
      r0 = 0
      exit
  )");
  program->helpers.push_back({5, "loop", [](std::uint64_t callback, std::uint64_t ctx, std::uint64_t, std::uint64_t,
                                            std::uint64_t, RunContext& run) -> std::uint64_t {
                                for (std::uint64_t i = 0; i < 10; ++i)
                                  run.code->call_subprog(run, static_cast<std::uint32_t>(callback), i, ctx);
                                return 10;
                              }});
  RunContext run;
  EXPECT_EQ(engine_->compile(program).value()->run(run, nullptr), 45u);
}

/// A helper that calls its first argument back ten times with the second, unless it throws.
std::uint64_t call_back(std::uint64_t callback, std::uint64_t arg, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  for (std::uint64_t i = 0; i < 10 && !run.thrown; ++i)
    run.code->call_subprog(run, static_cast<std::uint32_t>(callback), i, arg);
  return 10;
}

/// bpf_throw is kernel-function#0, call_back helper 0. callback: the exception callback.
std::unique_ptr<Code> throwing(Engine& engine, std::shared_ptr<rewrite::XlatedProgram> program,
                               std::uint32_t callback = rewrite::kNoSubprog) {
  program->kfuncs.push_back({.name = "bpf_throw", .address = nullptr, .ret_bytes = 0, .ret_signed = false, .throws = true});
  program->helpers.push_back({5, "call_back", call_back});
  program->exception_callback = callback;
  return engine.compile(program).value();
}

TEST_P(EngineTest, AnExceptionEndsTheProgramWithItsCookie) {
  auto code = throwing(*engine_, program_of("r6 = 5\nif r1 == 0 goto fine\nr1 = 42\ncall kernel-function#0\nexit\nfine: r0 = 7\nexit"));
  RunContext run;
  std::uint64_t ctx = 0;
  EXPECT_EQ(code->run(run, &ctx), 42u);
  EXPECT_FALSE(run.thrown);
  EXPECT_EQ(code->run(run, nullptr), 7u);
}

TEST_P(EngineTest, AnExceptionLeavesEveryFrame) {
  auto code = throwing(*engine_, program_of(R"(
      r6 = 1
      r7 = 2
      call outer
      r0 = 1
      exit
    outer:
      r6 = 3
      call inner
      r0 = 2
      exit
    inner:
      *(u64 *)(r10 -8) = 9
      r8 = 4
      r1 = *(u64 *)(r10 -8)
      call kernel-function#0
      exit
  )"));
  RunContext run;
  EXPECT_EQ(code->run(run, nullptr), 9u);
  EXPECT_EQ(code->run(run, nullptr), 9u);
}

TEST_P(EngineTest, AnExceptionLeavesTheHelperThatCalledBack) {
  // The callback (subprogram 1) throws at its fourth call; the exception callback (2) answers with twice the cookie.
  const char* const text = R"(
      r1 = 1
      r2 = 3
      call 0
      r0 = 1
      exit
      call back
      call caught
      exit
    back:
      r0 = 0
      if r1 != r2 goto done
      r1 += 100
      call kernel-function#0
    done:
      exit
    caught:
      r0 = r1
      r0 += r1
      exit
  )";
  RunContext run;
  EXPECT_EQ(throwing(*engine_, program_of(text))->run(run, nullptr), 103u);
  EXPECT_EQ(throwing(*engine_, program_of(text), 2)->run(run, nullptr), 206u);
  EXPECT_FALSE(run.thrown);
}

TEST_P(EngineTest, RefusesExceptionsWithoutACallback) {
  auto program = program_of("r1 = 1\ncall kernel-function#0\nexit");
  program->kfuncs.push_back({.name = "bpf_throw", .address = nullptr, .ret_bytes = 0, .ret_signed = false, .throws = true});
  program->exception_callback = 1;
  EXPECT_EQ(engine_->compile(program).error(), Errno::kInval);
}

// Helper 12 of the tests: r2 is the address of the target's Code, 0 fails.
std::uint64_t fake_tail_call(std::uint64_t, std::uint64_t target, std::uint64_t, std::uint64_t, std::uint64_t,
                             RunContext& run) {
  if (target == 0 || run.tail_calls >= kMaxTailCalls) return static_cast<std::uint64_t>(-1);
  ++run.tail_calls;
  run.tail_target = reinterpret_cast<const Code*>(static_cast<std::uintptr_t>(target));
  return 0;
}

std::unique_ptr<Code> EngineTest::with_tail_call(std::string_view text, const Code* target) {
  auto program = program_of(text);
  for (isa::Insn& insn : program->insns)
    if (insn.op == isa::Op::kLdImm64) insn.imm = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(target));
  program->helpers.push_back({uapi::BPF_FUNC_tail_call, "bpf_tail_call", fake_tail_call});
  return engine_->compile(program).value();
}

TEST_P(EngineTest, TailCallsReplaceTheFrameTheyAreIn) {
  std::uint64_t ctx = 40;
  auto target = with_tail_call("r0 = *(u64 *)(r1 +0)\nr0 += 2\nexit", nullptr);
  auto from_main = with_tail_call("r2 = 0x0 ll\ncall 0\nr0 = 1\nexit", target.get());
  auto failing = with_tail_call("r2 = 0x0 ll\ncall 0\nr0 = 1\nexit", nullptr);
  auto from_subprog = with_tail_call("call sub\nr0 += 1000\nexit\nsub: r2 = 0x0 ll\ncall 0\nr0 = 1\nexit", target.get());
  RunContext run;
  EXPECT_EQ(from_main->run(run, &ctx), 42u);
  EXPECT_EQ(failing->run(run, &ctx), 1u);
  EXPECT_EQ(from_subprog->run(run, &ctx), 1042u);
  EXPECT_EQ(run.tail_target, nullptr);
  EXPECT_EQ(run.code, nullptr);
}

TEST_P(EngineTest, ReadsZeroWhereAnUntrustedLoadFaults) {
  FaultGuard guard;
  auto program = program_of("r0 = *(u32 *)(r1 +8)\nexit");
  program->faulting = {0};
  auto code = engine_->compile(program).value();
  RunContext run;
  std::uint32_t memory[4] = {1, 2, 3, 4};
  EXPECT_EQ(code->run(run, memory), 3u);
  EXPECT_EQ(code->run(run, nullptr), 0u);
}

TEST_P(EngineTest, RefusesProgramsThatAreNotWellFormed) {
  EXPECT_EQ(compile_error("r0 = 0"), Errno::kInval);
  EXPECT_EQ(compile_error("goto pc+5\nexit"), Errno::kInval);
  EXPECT_EQ(compile_error("goto pc+1\nr0 = 0x1 ll\nexit"), Errno::kInval);
  EXPECT_EQ(compile_error("r10 = 0\nexit"), Errno::kInval);
  EXPECT_EQ(compile_error("call 0\nexit"), Errno::kInval);
  EXPECT_EQ(compile_error("call kernel-function#3\nexit"), Errno::kInval);
  EXPECT_EQ(compile_error("call sub\nexit\nsub: call sub\nexit"), Errno::kInval);
  EXPECT_EQ(compile_error("r0 = *(u8 *)skb[0]\nexit"), Errno::kOpNotSupp);
  EXPECT_EQ(compile_error("call a\nexit\na: call b\nexit\nb: call c\nexit\nc: call d\nexit\nd: call e\nexit\n"
                          "e: call f\nexit\nf: call g\nexit\ng: call h\nexit\nh: r0 = 0\nexit"),
            Errno::kInval);
}

}  // namespace
}  // namespace ring3::exec
