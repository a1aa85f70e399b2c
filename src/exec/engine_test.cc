#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

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
  // Ways out of a loop in front of its jump back: onwards, and to the head of a loop around it.
  EXPECT_EQ(run_text("r0 = 0\nr1 = 10\nloop: r0 += r1\nr1 += -1\nif r1 == 0 goto out\ngoto loop\nout: exit"), 55u);
  EXPECT_EQ(run_text("r0 = 0\nr1 = 4\nouter: r1 += -1\nif r1 == 0 goto out\nr2 = 5\ninner: r0 += r1\nr2 += -1\n"
                     "if r2 == 0 goto outer\ngoto inner\nout: exit"), 30u);
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

/// bpf_loop as exec/helpers has it, and what it was asked.
std::uint64_t loop_helper(std::uint64_t count, std::uint64_t callback, std::uint64_t ctx, std::uint64_t flags, std::uint64_t, RunContext& run) {
  ++run.attach_cookie;  // the helper itself ran
  if (flags != 0 || count > 8 * 1024 * 1024) return flags != 0 ? 22 : 7;
  for (std::uint64_t i = 0; i < count; ++i)
    if (run.code->call_subprog(run, static_cast<std::uint32_t>(callback), i, ctx) != 0) return i + 1;
  return count;
}

/// Adds up 0 … until the callback ends the loop at `last`; result: turns + 1000 * sum + registers that have to stay.
std::shared_ptr<rewrite::XlatedProgram> looping_program(std::uint32_t count, std::uint32_t last, std::uint32_t flags) {
  auto program = program_of("r6 = 100000000\nr7 = 0\nr8 = 0\n*(u64 *)(r10 -8) = 0\nw1 = " + std::to_string(count) +
                            "\nr2 = 1 ll\nr3 = r10\nr3 += -8\nr4 = " + std::to_string(flags) + R"(
      call 0
      r1 = *(u64 *)(r10 -8)
      r1 *= 1000
      r0 += r1
      r0 += r6
      r0 += r7
      r0 += r8
      exit
      call back
      exit
    back:
      r6 = r1
      r7 = r2
      r8 = 3
      r9 = *(u64 *)(r2 +0)
      r9 += r1
      *(u64 *)(r2 +0) = r9
      r0 = 0
      if r1 != )" + std::to_string(last) + " goto on\nr0 = 1\non: exit");
  for (isa::Insn& insn : program->insns)
    if (insn.op == isa::Op::kLdImm64) insn.src = static_cast<std::uint8_t>(isa::Pseudo::kFunc);
  program->helpers.push_back({uapi::BPF_FUNC_loop, "bpf_loop", loop_helper});
  return program;
}

TEST_P(EngineTest, LoopsOverAKnownCallback) {
  const bool inlines = std::string_view(GetParam()) != "interpreter";
  RunContext run;
  const auto result = [&](std::uint32_t count, std::uint32_t last, std::uint32_t flags) {
    run.attach_cookie = 0;
    return engine_->compile(looping_program(count, last, flags)).value()->run(run, nullptr) - 100000000;
  };
  EXPECT_EQ(result(10, 99, 0), 10u + 45 * 1000);
  EXPECT_EQ(run.attach_cookie, inlines ? 0u : 1u);
  EXPECT_EQ(result(10, 4, 0), 5u + 10 * 1000);
  EXPECT_EQ(result(1, 99, 0), 1u);
  EXPECT_EQ(result(0, 99, 0), 0u);
  EXPECT_EQ(result(10, 99, 1), 22u);
  EXPECT_EQ(run.attach_cookie, 1u);  // the helper knows the errors
  EXPECT_EQ(result(UINT32_MAX, 99, 0), 7u);
}

TEST_P(EngineTest, ExtendsByShifts) {
  std::uint64_t memory = 0x81828384f5f6f7f8;
  const auto of = [&](std::string_view text) { return run_text("r2 = *(u64 *)(r1 +0)\nr0 = 7\n" + std::string(text) + "\nexit", &memory); };
  EXPECT_EQ(of("r0 = r2\nr0 <<= 32\nr0 >>= 32"), 0xf5f6f7f8u);
  EXPECT_EQ(of("r0 = r2\nr0 <<= 32\nr0 s>>= 32"), 0xfffffffff5f6f7f8u);
  EXPECT_EQ(of("r2 <<= 48\nr2 s>>= 48\nr0 = r2"), 0xfffffffffffff7f8u);
  EXPECT_EQ(of("r2 <<= 56\nr2 >>= 56\nr0 = r2"), 0xf8u);
  EXPECT_EQ(of("w0 = w2\nw0 <<= 24\nw0 s>>= 24"), 0xfffffff8u);
  EXPECT_EQ(of("w0 = w2\nw0 <<= 16\nw0 >>= 16"), 0xf7f8u);
  EXPECT_EQ(of("r0 = *(u8 *)(r1 +7)\nr0 <<= 56\nr0 s>>= 56"), 0xffffffffffffff81u);
  EXPECT_EQ(of("r0 = *(u16 *)(r1 +0)\nw0 <<= 16\nw0 s>>= 16"), 0xfffff7f8u);
  EXPECT_EQ(of("r0 = *(u32 *)(r1 +0)\nr0 <<= 32\nr0 s>>= 32"), 0xfffffffff5f6f7f8u);
  EXPECT_EQ(of("r0 = *(u32 *)(r1 +0)\nr0 <<= 32\nr0 >>= 32"), 0xf5f6f7f8u);
  // What only looks like it.
  EXPECT_EQ(of("r0 = *(u8 *)(r1 +7)\nr0 <<= 48\nr0 s>>= 48"), 0x81u);
  EXPECT_EQ(of("r0 = r2\nr0 <<= 32\nr0 >>= 31"), 0x1ebedeff0u);
  EXPECT_EQ(of("r0 = r2\nw0 <<= 8\nr0 >>= 8"), 0xf6f7f8u);
  EXPECT_EQ(of("r0 = r2\nr0 <<= 32\nif r2 == 0 goto over\nover: r0 >>= 32"), 0xf5f6f7f8u);
}

TEST_P(EngineTest, ExchangesInOnePlace) {
  auto program = program_of("r2 = *(u64 *)(r1 +8)\ncall 0\nexit");
  program->helpers.push_back({uapi::BPF_FUNC_kptr_xchg, "bpf_kptr_xchg",
                              [](std::uint64_t field, std::uint64_t object, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
                                return std::exchange(*reinterpret_cast<std::uint64_t*>(field), object);
                              },
                              false});
  std::uint64_t words[2] = {11, 22};
  RunContext run;
  const auto code = engine_->compile(program).value();
  EXPECT_EQ(code->run(run, words), 11u);
  EXPECT_EQ(words[0], 22u);
  words[1] = 0;
  EXPECT_EQ(code->run(run, words), 22u);
  EXPECT_EQ(words[0], 0u);
  EXPECT_EQ(code->leaf() != nullptr, std::string_view(GetParam()) != "interpreter");  // it needs no run
}

TEST_P(EngineTest, KnowsItsSlotAndKeepsArguments) {
  auto program = program_of("r6 = 5\nr1 = 30\nr3 = 400\ncall 0\nr0 += r1\nr0 += r3\nr0 += r6\nexit");
  program->touches_percpu = true;
  program->helpers.push_back({rewrite::kCurrentCpuHelper, "cpu",
                              [](std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) -> std::uint64_t {
                                return run.cpu;
                              }});
  RunContext run;
  run.cpu = 3000;
  run.holds_slot = true;
  const auto code = engine_->compile(program).value();
  EXPECT_EQ(code->run(run, nullptr), 3435u);
  EXPECT_EQ(code->leaf(), nullptr);
}

TEST_P(EngineTest, AccessesThatMayFaultDoNoHarm) {
  FaultGuard guard;
  auto program = program_of(R"(
      r6 = r1
      r2 = 0xffffffffffffffff ll
      *(u64 *)(r6 +0) = 7
      *(u32 *)(r6 +8) = r2
      lock *(u64 *)(r6 +0) += r2
      r3 = 0xfffffffff ll
      r3 = atomic_fetch_add((u32 *)(r6 +8), r3)
      r4 = -1
      r4 = atomic64_xchg((u64 *)(r6 +16), r4)
      r0 = 6
      r5 = 9
      r0 = atomic64_cmpxchg((u64 *)(r6 +0), r0, r5)
      r1 = *(u64 *)(r6 +0)
      r0 += r1
      r0 += r3
      r0 += r4
      exit
  )");
  program->faulting = {3, 4, 5, 8, 10, 13, 14};
  auto code = engine_->compile(program).value();
  RunContext run;
  RunScope scope(run);
  std::uint64_t memory[3] = {0, 0, 100};
  EXPECT_EQ(code->run(run, memory), 0xffffffffull + 6 + 9 + 100);
  EXPECT_EQ(memory[2], ~std::uint64_t{0});
  EXPECT_EQ(code->run(run, reinterpret_cast<void*>(0x8000'0000'0000'0000)), 0u);
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
std::uint64_t fake_tail_call(std::uint64_t ctx, std::uint64_t target, std::uint64_t, std::uint64_t, std::uint64_t,
                             RunContext& run) {
  if (target == 0 || run.tail_calls >= kMaxTailCalls) return static_cast<std::uint64_t>(-1);
  ++run.tail_calls;
  run.tail_ctx = reinterpret_cast<void*>(static_cast<std::uintptr_t>(ctx));
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
  RunScope scope(run);
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
