// What a compiled program must leave as it found it: the registers that callees keep, the stack pointer, the direction flag and the
// control word of floating point, on every way out of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "exec/fault.h"
#include "exec/testing.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace {

#if defined(__x86_64__)

using Registers = std::array<std::uint64_t, 8>;  // rbx, r12, r13, r14, r15, rbp, rsp, flags and mxcsr

/// Calls fn(r1, …, run) with values of its own in what callees keep, and says what is there afterwards. rsp: how far it moved.
struct Call {
  rewrite::HelperFn fn;
  std::uint64_t r1;
  RunContext* run;
  std::uint64_t result = 0;
  Registers after{};
};

constexpr Registers kBefore = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444, 0x5555555555555555, 0x6666666666666666, 0, 0x1f80};

__attribute__((naked, noinline)) void call_with_marks(Call*) {
  asm(R"(
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    pushq %rdi
    subq $16, %rsp
    movq %rsp, 8(%rsp)
    movq (%rdi), %rax
    movq 16(%rdi), %r9
    movq 8(%rdi), %rdi
    movabsq $0x1111111111111111, %rbx
    movabsq $0x2222222222222222, %r12
    movabsq $0x3333333333333333, %r13
    movabsq $0x4444444444444444, %r14
    movabsq $0x5555555555555555, %r15
    movabsq $0x6666666666666666, %rbp
    callq *%rax
    movq 16(%rsp), %rdi
    movq %rax, 24(%rdi)
    movq %rbx, 32(%rdi)
    movq %r12, 40(%rdi)
    movq %r13, 48(%rdi)
    movq %r14, 56(%rdi)
    movq %r15, 64(%rdi)
    movq %rbp, 72(%rdi)
    movq %rsp, %rax
    subq 8(%rsp), %rax
    movq %rax, 80(%rdi)
    pushfq
    popq %rax
    andq $0x400, %rax
    movl %eax, 92(%rdi)
    stmxcsr 88(%rdi)
    andl $0xffffffc0, 88(%rdi)
    addq $24, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    retq
  )");
}
static_assert(offsetof(Call, r1) == 8 && offsetof(Call, run) == 16 && offsetof(Call, result) == 24 && offsetof(Call, after) == 32);

/// Spoils what callers keep, and looks whether the stack is aligned as compilers count on.
std::uint64_t spoil(std::uint64_t a, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  alignas(16) volatile float four[4] = {1, 2, 3, 4};
  asm volatile("movaps (%0), %%xmm0\n movl $-1, %%ecx\n movl $-1, %%edx\n movl $-1, %%esi\n movl $-1, %%r8d\n movl $-1, %%r10d\n movl $-1, %%r11d"
               : : "r"(four) : "xmm0", "rcx", "rdx", "rsi", "r8", "r10", "r11", "memory");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) % 16, 0u);
  return a + 1;
}
std::uint64_t call_back(std::uint64_t callback, std::uint64_t arg, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  for (std::uint64_t i = 0; i < 3 && !run.thrown; ++i) run.code->call_subprog(run, static_cast<std::uint32_t>(callback), i, arg);
  return 3;
}
std::uint64_t take_the_tail(std::uint64_t ctx, std::uint64_t target, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  ++run.tail_calls;
  run.tail_ctx = reinterpret_cast<void*>(static_cast<std::uintptr_t>(ctx));
  run.tail_target = reinterpret_cast<const Code*>(static_cast<std::uintptr_t>(target));
  return 0;
}
std::uint64_t no_loop(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return 77; }

struct Way {
  const char* name;
  const char* text;          // helpers: 0 spoil, 1 call_back, 2 tail call, 3 bpf_loop
  std::uint64_t result;
  bool thrown = false;
  bool tail = false;
};

// Every register that callees keep is written, and read, or the compiler would leave it out.
#define USE "r6 = 6\nr7 = 7\nr8 = 8\nr9 = 9\n*(u64 *)(r10 -40) = r6\n*(u64 *)(r10 -48) = r7\n*(u64 *)(r10 -56) = r8\n*(u64 *)(r10 -64) = r9\n"
constexpr Way kWays[] = {
    {"leaf", "r6 = r1\nr7 = r1\nr8 = r1\nr9 = r1\nr7 += 7\nr8 += 8\nr9 += 9\nr0 = r6\nr0 += r7\nr0 += r8\nr0 += r9\nexit", 24},
    {"stack", USE "*(u64 *)(r10 -8) = 3\n*(u64 *)(r10 -512) = r9\nr0 = *(u64 *)(r10 -8)\nexit", 3},
    {"helper", USE "r1 = 5\ncall 0\nr0 += r6\nexit", 12},
    {"helper, odd saves", "r6 = 6\nr7 = 7\nr8 = 8\nr1 = 5\ncall 0\nr0 += r6\nr0 += r7\nr0 += r8\nexit", 27},
    {"helper, one save", "r6 = 6\nr1 = 5\ncall 0\nr0 += r6\nexit", 12},
    {"helper, no save", "r1 = 5\ncall 0\nexit", 6},
    {"may_goto", USE "again: may_goto out\nr6 += 1\nif r6 != 20 goto again\nout: r0 = r6\nexit", 20},
    {"may_goto and a helper", USE "again: may_goto out\nr1 = r6\ncall 0\nr6 = r0\nif r6 != 20 goto again\nout: r0 = r6\nexit", 20},
    {"division", USE "r0 = 100\nr3 = 7\nr0 /= r6\nr0 %= r3\nexit", 2},
    {"calls", USE "call sub\nr0 += r6\nr0 += r9\nexit\nsub:\n" USE "r1 = 1\ncall 0\nexit", 17},
    {"thrown in main", USE "r1 = 42\ncall kernel-function#0\nexit", 0, true},
    {"thrown below", USE "call sub\nexit\nsub:\n" USE "call deeper\nr0 = r6\nexit\ndeeper:\n" USE "r1 = 3\ncall kernel-function#0\nexit", 0, true},
    {"thrown in a callback", USE "r1 = 1\nr2 = 2\ncall 1\nr0 = 1\nexit\ncall back\nexit\nback:\n" USE "r1 = 3\ncall kernel-function#0\nexit", 0, true},
    {"loop in line", USE "r1 = 10\nr2 = 1 ll\nr3 = r10\nr4 = 0\n*(u64 *)(r10 -8) = 0\ncall 3\nr0 += r6\nr0 += r8\nexit\ncall back\nexit\n"
                     "back:\nr3 = r1\nr4 = r2\n" USE "r1 = r3\nr2 = r4\nr8 = *(u64 *)(r2 -8)\nr8 += r1\n*(u64 *)(r2 -8) = r8\nr1 = 1\ncall 0\nr0 = 0\nexit", 24},
    {"loop in line, refused", USE "r1 = 10\nr2 = 1 ll\nr3 = r10\nr4 = 1\ncall 3\nr0 += r6\nexit\ncall back\nexit\nback:\nr0 = 0\nexit", 83},
    {"thrown in a loop in line", USE "r1 = 10\nr2 = 1 ll\nr3 = r10\nr4 = 0\ncall 3\nr0 += r6\nexit\ncall back\nexit\nback:\n" USE "r0 = 0\nif r1 != 4 goto out\n"
                                 "r1 = 1\ncall kernel-function#0\nout: exit", 0, true},
    {"tail call", USE "r2 = 0x1234 ll\ncall 2\nr0 = 1\nexit", 0, false, true},
    {"tail call below", USE "call sub\nr0 += r6\nr0 += r9\nexit\nsub:\n" USE "r2 = 0x1234 ll\ncall 2\nr0 = 1\nexit", 120},
    {"faulting load", USE "r1 = 0x8000000000000000 ll\nr0 = *(u64 *)(r1 +0)\nr0 += r6\nexit", 6},
};
#undef USE

class HostStateTest : public ::testing::TestWithParam<JitOptions> {
 protected:
  static std::shared_ptr<rewrite::XlatedProgram> program_of(const Way& way, const Code* target) {
    auto program = std::make_shared<rewrite::XlatedProgram>();
    program->insns = isa::decode(isa::assemble(way.text).value()).value();
    const auto count = static_cast<std::uint32_t>(program->insns.size());
    std::vector<std::uint32_t> starts{0};
    for (std::uint32_t idx = 0; idx < count; ++idx) {
      isa::Insn& insn = program->insns[idx];
      program->original_idx.push_back(idx);
      if (insn.op == isa::Op::kCallSubprog) starts.push_back(static_cast<std::uint32_t>(static_cast<std::int64_t>(idx) + 1 + insn.jump));
      if (insn.op == isa::Op::kLdImm64 && insn.imm == 0x1234) insn.imm = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(target));
      if (insn.op == isa::Op::kLdImm64 && insn.imm == 1) insn.src = static_cast<std::uint8_t>(isa::Pseudo::kFunc);
      if (insn.op == isa::Op::kLoad && insn.src == 1) program->faulting.push_back(idx);
    }
    std::sort(starts.begin(), starts.end());
    for (std::size_t i = 0; i < starts.size(); ++i) program->subprogs.push_back({starts[i], i + 1 < starts.size() ? starts[i + 1] : count, 512});
    program->helpers = {{5, "spoil", spoil}, {6, "call_back", call_back}, {uapi::BPF_FUNC_tail_call, "bpf_tail_call", take_the_tail},
                        {uapi::BPF_FUNC_loop, "bpf_loop", no_loop}};
    if (way.thrown) program->kfuncs.push_back({.name = "bpf_throw", .address = nullptr, .ret_bytes = 0, .ret_signed = false, .throws = true});
    return program;
  }

  FaultGuard guard_;
  CodeMemory memory_;
};

TEST_P(HostStateTest, IsKeptOnEveryWayOut) {
  if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  const auto engine = make_jit(memory_, GetParam());
  auto target = engine->compile(program_of({.name = "", .text = "r6 = 5\nr7 = 6\nr8 = 7\nr9 = 8\nr0 = 105\nexit", .result = 105}, nullptr)).value();
  for (const Way& way : kWays) {
    auto compiled = engine->compile(program_of(way, target.get()));
    ASSERT_TRUE(compiled.ok()) << way.name;
    const auto code = std::move(compiled.value());
    RunContext run;
    run.code = code.get();
    RunScope scope(run);
    Call call{.fn = code->direct(), .r1 = 0, .run = &run};
    call_with_marks(&call);
    EXPECT_EQ(call.after, kBefore) << way.name;
    EXPECT_EQ(run.thrown, way.thrown) << way.name;
    EXPECT_EQ(run.tail_target != nullptr, way.tail) << way.name;
    if (!way.thrown && !way.tail) {
      EXPECT_EQ(call.result, way.result) << way.name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Options, HostStateTest, ::testing::ValuesIn(testing::kWaysToCompile));

#endif

}  // namespace
}  // namespace ring3::exec
