// What the compiler makes of the shapes that compilers for BPF make: the machine code itself, on a processor without optional
// features. plan_test.cc holds what forbids each of them.
#include <gtest/gtest.h>

#include <string>

#include "exec/jit.h"
#include "isa/assemble.h"
#include "isa/decode.h"

#if defined(__x86_64__)

namespace ring3::exec {
namespace {

/// The code of a function without a frame, in hexadecimal, between its endbr64 and its ret.
std::string code_of(std::string_view text) {
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble(text).value()).value();
  const auto count = static_cast<std::uint32_t>(program->insns.size());
  program->subprogs.push_back({0, count, 0});
  for (std::uint32_t idx = 0; idx < count; ++idx) program->original_idx.push_back(idx);
  CodeMemory memory;
  const auto code = make_jit(memory, {.baseline_cpu = true})->compile(program).value();
  auto bytes = code->listing().bytes;
  constexpr std::size_t kEndbr = 4, kTrap = 1;
  std::string hex;
  char two[3];
  for (const std::byte b : bytes.subspan(kEndbr, bytes.size() - kEndbr - kTrap)) {
    std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(b));
    hex += two;
  }
  return hex;
}

struct Idiom {
  const char* name;
  const char* text;
  const char* machine;  // what it reads as
  const char* code;
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
    {"ABitByNumber", "r0 = 1\nif r1 & 4 goto out\nr0 = *(u64 *)(r2 +0)\nout:\nexit", "mov $1,%eax; test $4,%dil; jne; mov (%rsi),%rax; ret", "b80100000040f6c7047503488b06c3"},
    {"DivisionByAConstant", "r0 = r1\nw0 /= 10\nexit", "mov %rdi,%rax; mov %eax,%r9d; mov $0xcccccccd,%r10d; imul %r10,%r9; shr $35,%r9; mov %r9d,%eax; ret", "4889f84189c141bacdcccccc4d0fafca49c1e9234489c8c3"},
};

class IdiomTest : public testing::TestWithParam<Idiom> {};

TEST_P(IdiomTest, HasItsCode) { EXPECT_EQ(code_of(GetParam().text), GetParam().code) << GetParam().machine; }

INSTANTIATE_TEST_SUITE_P(All, IdiomTest, testing::ValuesIn(kIdioms), [](const auto& idiom) { return std::string(idiom.param.name); });

}  // namespace
}  // namespace ring3::exec

#endif
