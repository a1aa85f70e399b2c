// What is the compiler's alone; what every tier does is in engine_test.cc.
#include "exec/jit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "exec/fault.h"
#include "isa/assemble.h"
#include "isa/decode.h"

namespace ring3::exec {
namespace {

std::shared_ptr<rewrite::XlatedProgram> program_of(std::string_view text, std::uint32_t stack_bytes = 0) {
  auto program = std::make_shared<rewrite::XlatedProgram>();
  program->insns = isa::decode(isa::assemble(text).value()).value();
  const auto count = static_cast<std::uint32_t>(program->insns.size());
  program->subprogs.push_back({0, count, stack_bytes});
  for (std::uint32_t idx = 0; idx < count; ++idx) program->original_idx.push_back(idx);
  return program;
}

class JitTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!jit_available()) GTEST_SKIP() << "no compiler for this machine";
  }
  std::unique_ptr<Code> compile(const std::shared_ptr<rewrite::XlatedProgram>& program, JitOptions options = {}) {
    return make_jit(memory_, options)->compile(program).value();
  }
  CodeMemory memory_;
};

/// The line of /proc/self/maps an address is in.
std::string mapping_of(const void* address) {
  std::ifstream maps("/proc/self/maps");
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &from, &to) == 2 && from <= at && at < to) return line;
  }
  return "";
}

TEST_F(JitTest, NoPageIsWritableAndExecutable) {
  auto code = compile(program_of("r0 = 1\nexit"));
  const std::string mapping = mapping_of(code->listing().bytes.data());
  EXPECT_NE(mapping.find(" r-xs "), std::string::npos) << mapping;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) EXPECT_EQ(line.find("wx"), std::string::npos) << line;
}

TEST_F(JitTest, ListsWhatItMade) {
  auto program = program_of("r0 = 1\nr1 = 0x123456789abcdef0 ll\nr0 += r1\nexit");
  auto code = compile(program);
  const CodeListing listing = code->listing();
  EXPECT_FALSE(listing.bytes.empty());
  ASSERT_EQ(listing.insn_offset.size(), program->insns.size());
  EXPECT_TRUE(std::is_sorted(listing.insn_offset.begin(), listing.insn_offset.end()));
  EXPECT_LT(listing.insn_offset.back(), listing.bytes.size());
  ASSERT_EQ(listing.function_offset.size(), 1u);
  EXPECT_EQ(listing.function_offset[0], 0u);
  EXPECT_EQ(listing.original_idx.size(), program->insns.size());
  EXPECT_TRUE(make_interpreter()->compile(program).value()->listing().bytes.empty());
}

TEST_F(JitTest, BlindedCodeHoldsNoConstantOfTheProgram) {
  const auto holds = [](const Code& code, std::uint32_t constant) {
    const auto bytes = code.listing().bytes;
    const auto* pattern = reinterpret_cast<const std::byte*>(&constant);
    return std::search(bytes.begin(), bytes.end(), pattern, pattern + sizeof constant) != bytes.end();
  };
  constexpr std::uint32_t kConstant = 0x12345678;
  for (const char* text : {"r0 = 0x12345678\nexit", "r0 = 0x1234567812345678 ll\nexit", "w0 = 0\nr0 += 0x12345678\nexit",
                           "w0 = 0\nif r0 == 0x12345678 goto pc+0\nexit", "r0 = 0\n*(u32 *)(r10 -8) = 0x12345678\nexit",
                           "w0 = 0\nif w0 & 0x12345678 goto pc+0\nexit", "w0 = 0\nw0 s%= 0x12345678\nexit",
                           "w0 = 0\nr0 *= 0x12345678\nexit"}) {
    auto program = program_of(text, 16);
    EXPECT_TRUE(holds(*compile(program), kConstant)) << text;
    EXPECT_FALSE(holds(*compile(program, {.blind_constants = true}), kConstant)) << text;
  }
}

TEST_F(JitTest, FaultingLoadsReadZeroOnAnyThread) {
  FaultGuard guard;
  auto program = program_of(R"(
      r6 = r1
      r0 = *(u64 *)(r6 +0)
      r2 = *(s16 *)(r6 +8)
      r3 = *(u8 *)(r6 +16)
      r0 += r2
      r0 += r3
      exit
  )");
  program->faulting = {1, 2, 3};
  auto code = compile(program);
  auto nested = compile(program_of("r0 = 5\nexit"));
  std::uint64_t memory[3] = {100, 0xffff, 7};
  const auto run_both = [&] {
    for (int i = 0; i < 100; ++i) {
      RunContext run;
      RunScope scope(run);
      EXPECT_EQ(code->run(run, memory), 106u);
      EXPECT_EQ(code->run(run, reinterpret_cast<void*>(0x8000'0000'0000'0000)), 0u);
      EXPECT_EQ(nested->run(run, nullptr), 5u);
    }
  };
  std::thread other(run_both);
  run_both();
  other.join();
}

TEST_F(JitTest, FallsBackToLongJumps) {
  // Far more code than a byte reaches, and jumps of every length over it.
  std::string text = "r0 = 0\nr6 = 3\n";
  for (int i = 0; i < 300; ++i) text += "if r6 == 4 goto out\nr0 += 1\nr0 /= r6\nr0 *= 3\n";
  text += "out: exit";
  auto program = program_of(text);
  RunContext run;
  const std::uint64_t want = make_interpreter()->compile(program).value()->run(run, nullptr);
  EXPECT_EQ(compile(program)->run(run, nullptr), want);
}

/// A jump back to a function's first instruction must not make its frame again: with 512 bytes a turn, a million
/// turns would leave any stack.
TEST_F(JitTest, LoopsToTheFirstInstructionStayInTheirFrame) {
  auto code = compile(program_of("r1 += -1\n*(u64 *)(r10 -8) = r1\nif r1 != 0 goto pc-3\nr0 = *(u64 *)(r10 -8)\nr0 += 7\nexit", 512));
  RunContext run;
  EXPECT_EQ(code->run(run, reinterpret_cast<void*>(std::uintptr_t{1'000'000})), 7u);
}

TEST_F(JitTest, GivesCodeBack) {
  for (int i = 0; i < 2000; ++i) {
    auto program = program_of("r0 = " + std::to_string(i) + "\nexit");
    RunContext run;
    EXPECT_EQ(compile(program)->run(run, nullptr), static_cast<std::uint64_t>(i));
  }
}

}  // namespace
}  // namespace ring3::exec
