// How programs run is the host's choice, and what they were compiled to can be read.
#include <gtest/gtest.h>

#include "exec/jit.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

TEST_F(StructOps, MachineCodeIsListed) {
  if (!exec::jit_available()) GTEST_SKIP() << "no compiler for this machine";
  const long program = bpf().load({.text = kAddText});
  ASSERT_GT(program, 0) << bpf().log();
  uapi::bpf_prog_info info = bpf().prog_info(program);
  ASSERT_GT(info.jited_prog_len, 0u);
  ASSERT_EQ(info.nr_jited_ksyms, 1u);
  ASSERT_EQ(info.nr_jited_func_lens, 1u);

  std::vector<std::uint8_t> code(info.jited_prog_len);
  std::uint64_t symbol = 0;
  std::uint32_t length = 0;
  uapi::bpf_prog_info wanted;
  std::memset(static_cast<void*>(&wanted), 0, sizeof wanted);
  wanted.jited_prog_len = info.jited_prog_len;
  wanted.jited_prog_insns = reinterpret_cast<std::uintptr_t>(code.data());
  wanted.nr_jited_ksyms = wanted.nr_jited_func_lens = 1;
  wanted.jited_ksyms = reinterpret_cast<std::uintptr_t>(&symbol);
  wanted.jited_func_lens = reinterpret_cast<std::uintptr_t>(&length);
  ASSERT_EQ(bpf().info(program, &wanted, sizeof wanted), 0);
  EXPECT_EQ(length, info.jited_prog_len);
  ASSERT_NE(symbol, 0u);
  // This process is the host: the code stands where the symbol says.
  EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(symbol), code.data(), code.size()), 0);
}

}  // namespace
}  // namespace ring3::test
