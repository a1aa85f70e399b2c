// What the compiler makes of the shapes that compilers for BPF make: the machine code itself, on a processor without optional
// features or (`newest`) with all that are used. plan_test.cc holds what forbids each of them.
#include <gtest/gtest.h>

#include <cstddef>
#include <string>

#include "exec/jit.h"
#include "exec/run_context.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "object/tsan.h"
#include "uapi/bpf.h"

#if defined(__x86_64__)

namespace ring3::exec {
namespace {

std::string hexadecimal(std::byte b) {
  char two[3];
  std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(b));
  return two;
}

std::uint64_t never_called(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return 0; }

/// The code of a function in hexadecimal, behind its endbr64.
std::string code_of(std::string_view text, bool newest, std::uint32_t helper) {
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble(text).value()).value();
  const auto count = static_cast<std::uint32_t>(program->insns.size());
  program->subprogs.push_back({0, count, 0});
  for (std::uint32_t idx = 0; idx < count; ++idx) program->original_idx.push_back(idx);
  CodeMemory memory;
  if (helper != 0) {
    program->helpers.push_back({helper, "helper", never_called});
    program->touches_percpu = true;
  }
  const auto code = make_jit(memory, {.baseline_cpu = !newest, .newest_cpu = newest})->compile(program).value();
  auto bytes = code->listing().bytes;
  constexpr std::size_t kEndbr = 4, kTrap = 1;
  std::string hex;
  for (const std::byte b : bytes.subspan(kEndbr, bytes.size() - kEndbr - kTrap)) hex += hexadecimal(b);
  return hex;
}

struct Idiom {
  const char* name;
  const char* text;
  const char* machine;  // what it reads as
  const char* code;         // @: where a run keeps its slot
  bool newest = false;
  std::uint32_t helper = 0;  // that `call 0` calls, in a run that holds a slot
};

constexpr Idiom kIdioms[] = {
    {"BytesInNetworkOrder",
     "r0 = *(u8 *)(r1 +0)\nr0 <<= 24\nr2 = *(u8 *)(r1 +1)\nr2 <<= 16\nr0 |= r2\nr2 = *(u8 *)(r1 +2)\nr2 <<= 8\nr0 |= r2\n"
     "r2 = *(u8 *)(r1 +3)\nr0 |= r2\nexit",
     "mov (%rdi),%eax; bswap %eax; ret", "8b070fc8c3"},
    {"BytesInHostOrder",
     "r0 = *(u8 *)(r1 +4)\nr2 = *(u8 *)(r1 +5)\nr2 <<= 8\nr0 |= r2\nexit", "movzwl 4(%rdi),%eax; ret", "0fb74704c3"},
    {"CompareAndBranch", "r0 = 1\nif r1 > r2 goto out\nr0 = *(u64 *)(r1 +0)\nr0 += 2\nout:\nexit",
     "mov $1,%eax; cmp %rsi,%rdi; ja; mov (%rdi),%rax; add $2,%rax; ret", "b8010000004839f77707488b074883c002c3"},
    {"FlagsOfWhatCameBefore", "again:\nr2 += r1\nr1 += -1\nif r1 != 0 goto again\nr0 = r2\nexit",
     "add %rdi,%rsi; add $-1,%rdi; jne; mov %rsi,%rax; ret", "4801fe4883c7ff75f74889f0c3"},
    {"NarrowFormsExtend", "w0 = w1\nw0 += w2\nw0 ^= w3\nr0 += r4\nexit", "lea (%rdi,%rsi),%eax; xor %edx,%eax; add %rcx,%rax; ret", "8d043731d04801c8c3"},
    {"ShiftsThatOnlyExtend", "r0 = r1\nr0 <<= 32\nr0 >>= 32\nexit", "mov %edi,%eax; ret", "89f8c3"},
    {"AChoice", "r0 = r1\nif r2 == 7 goto out\nr0 = r3\nout:\nexit", "mov %rdi,%rax; cmp $7,%rsi; cmovne %rdx,%rax; ret", "4889f84883fe07480f45c2c3"},
    {"Rotation", "r0 = r1\nr0 <<= 13\nr1 >>= 51\nr0 |= r1\nexit", "mov %rdi,%rax; rol $13,%rax; ret", "4889f848c1c00dc3"},
    {"Address", "r3 = r2\nr3 <<= 3\nr4 = r1\nr4 += r3\nr0 = *(u64 *)(r4 +8)\nexit", "mov 8(%rdi,%rsi,8),%rax; ret", "488b44f708c3"},
    {"ThreeOperands", "r0 = r1\nr0 += r2\nexit", "lea (%rdi,%rsi),%rax; ret", "488d0437c3"},
    {"AKnownBit", "r0 = 1\nif r1 & 4 goto out\nr0 = *(u64 *)(r2 +0)\nout:\nexit", "mov $1,%eax; test $4,%dil; jne; mov (%rsi),%rax; ret", "b80100000040f6c7047503488b06c3"},
    {"DivisionByAConstant", "r0 = r1\nw0 /= 10\nexit", "mov %rdi,%rax; mov %eax,%r9d; mov $0xcccccccd,%r10d; imul %r10,%r9; shr $35,%r9; mov %r9d,%eax; ret", "4889f84189c141bacdcccccc4d0fafca49c1e9234489c8c3"},
    {"SignedDivisionByAConstant", "r0 = r1\nw0 s/= 10\nexit",
     "mov %rdi,%rax; movslq %eax,%r9; imul $0x66666667,%r9; sar $34,%r9; shr $31,%eax; add %r9d,%eax; ret", "4889f84c63c84d69c96766666649c1f922c1e81f4401c8c3"},
    {"SignedDivisionByAPower", "r0 = r1\nr0 s/= 8\nexit", "mov %rdi,%rax; mov %rax,%r9; sar $63,%r9; shr $61,%r9; add %r9,%rax; sar $3,%rax; ret", "4889f84989c149c1f93f49c1e93d4c01c848c1f803c3"},
    {"ABitByNumber", "r0 = 1\nr3 = r1\nr3 >>= r2\nr3 &= 1\nif r3 != 0 goto out\nr0 = *(u64 *)(r2 +0)\nout:\nexit",
     "mov $1,%eax; bt %rsi,%rdi; jc; mov (%rsi),%rax; ret", "b801000000480fa3f77203488b06c3"},
    {"ABitOfABitmap", "r0 = *(u64 *)(r1 +0)\nw3 = w2\nw3 &= 31\nw0 >>= w3\nw0 &= 1\nif w0 == 0 goto out\n*(u32 *)(r1 +0) = 7\nout:\nr0 = 3\nexit",
     "mov (%rdi),%rax; bt %esi,%eax; jnc; movl $7,(%rdi); mov $3,%eax; ret", "488b070fa3f07306c70707000000b803000000c3"},
    {"ABitByMask", "r3 = 1\nr3 <<= r2\nr0 = r1\nr1 &= r3\nif r1 == 0 goto out\nr0 = *(u64 *)(r2 +0)\nout:\nexit",
     "mov %rdi,%rax; bt %rsi,%rdi; jnc; mov (%rsi),%rax; ret", "4889f8480fa3f77303488b06c3"},
    {"AChoiceByABit", "r0 = r1\nr1 >>= r2\nr1 &= 1\nif r1 != 0 goto out\nr0 = r4\nout:\nexit",
     "mov %rdi,%rax; bt %rsi,%rdi; cmovnc %rcx,%rax; ret", "4889f8480fa3f7480f43c1c3"},
    {"SwappedLoad", "r0 = *(u32 *)(r1 +8)\nr0 = be32 r0\nexit", "movbe 8(%rdi),%eax; ret", "0f38f04708c3", true},
    {"SwappedBytes",
     "r0 = *(u8 *)(r1 +0)\nr0 <<= 24\nr2 = *(u8 *)(r1 +1)\nr2 <<= 16\nr0 |= r2\nr2 = *(u8 *)(r1 +2)\nr2 <<= 8\nr0 |= r2\n"
     "r2 = *(u8 *)(r1 +3)\nr0 |= r2\nexit",
     "movbe (%rdi),%eax; ret", "0f38f007c3", true},
    {"SwappedWideLoadAtASum", "r3 = r1\nr3 += r2\nr0 = *(u64 *)(r3 +8)\nr0 = be64 r0\nexit", "movbe 8(%rdi,%rsi),%rax; ret", "480f38f0443708c3", true},
    {"SwappedHalf", "r0 = *(u16 *)(r1 +8)\nr0 = be16 r0\nexit", "movzwl 8(%rdi),%eax; rol $8,%ax; ret", "0fb7470866c1c008c3", true},
    {"RotationOfACopy", "r0 = r1\nr0 <<= 13\nr2 = r1\nr2 >>= 51\nr0 |= r2\nexit", "rorx $51,%rdi,%rax; ret", "c4e3fbf0c733c3", true},
    {"ShiftByANumber", "r0 = r1\nr0 <<= r2\nexit", "shlx %rsi,%rdi,%rax; ret", "c4e2c9f7c7c3", true},
    {"CurrentCpu", "call 0\nexit",
     "mov cpu(%r9),%eax; ret", "418b41@c3", false, uapi::BPF_FUNC_get_smp_processor_id},
#if !defined(RING3_TSAN)  // there it is a call
    {"ExchangeOfAPointer", "call 0\nexit", "mov %rsi,%rax; xchg %rax,(%rdi); ret", "4889f0488707c3", false, uapi::BPF_FUNC_kptr_xchg},
#endif
};

class IdiomTest : public testing::TestWithParam<Idiom> {};

TEST_P(IdiomTest, HasItsCode) {
  const Idiom& idiom = GetParam();
  std::string code = idiom.code;
  if (const std::size_t at = code.find('@'); at != std::string::npos) code.replace(at, 1, hexadecimal(std::byte{offsetof(RunContext, cpu)}));
  EXPECT_EQ(code_of(idiom.text, idiom.newest, idiom.helper), code) << idiom.machine;
}

INSTANTIATE_TEST_SUITE_P(All, IdiomTest, testing::ValuesIn(kIdioms), [](const auto& idiom) { return std::string(idiom.param.name); });

}  // namespace
}  // namespace ring3::exec

#endif
