#include "cli/disassembly.h"

#include <gtest/gtest.h>

#include <array>

namespace ring3::cli {
namespace {

#if defined(__x86_64__)

template <typename... Byte>
auto bytes(Byte... values) {
  return std::array{static_cast<std::byte>(values)...};
}

TEST(DisassemblyTest, NamesEveryInstructionWithItsPlace) {
  const auto code = bytes(0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x89, 0xf8, 0xc3);  // endbr64; mov %rdi, %rax; ret
  const auto insns = disassemble_machine_code(code, 0x1000);
  ASSERT_EQ(insns.size(), 3u);
  EXPECT_EQ(insns[0].text, "endbr64");
  EXPECT_EQ(insns[1].address, 0x1004u);
  EXPECT_EQ(insns[1].text, "movq %rdi, %rax");
  EXPECT_EQ(insns[1].bytes.size(), 3u);
  EXPECT_EQ(insns[2].text, "retq");
}

TEST(DisassemblyTest, GoesOnBehindWhatIsNoInstruction) {
  const auto code = bytes(0x06, 0xc3);  // push %es exists on no 64-bit processor
  const auto insns = disassemble_machine_code(code, 0);
  ASSERT_EQ(insns.size(), 2u);
  EXPECT_EQ(insns[0].text, ".byte 0x06");
  EXPECT_EQ(insns[1].text, "retq");
}

TEST(DisassemblyTest, OfNothingIsNothing) { EXPECT_TRUE(disassemble_machine_code({}, 0).empty()); }

#endif

}  // namespace
}  // namespace ring3::cli
