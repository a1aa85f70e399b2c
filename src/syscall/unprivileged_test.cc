// What clients without rights may do: nothing while unprivileged use is off, basic maps and socket filters while it is on.
#include <gtest/gtest.h>

#include <unistd.h>

#include <vector>

#include "isa/assemble.h"
#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

class UnprivilegedTest : public ::testing::Test {
 protected:
  UnprivilegedTest() { kernel_.rights = {}; }

  long create(std::uint32_t type) {
    uapi::bpf_attr attr = kernel_.attr();
    attr.map_type = type;
    attr.key_size = 4;
    attr.value_size = 8;
    attr.max_entries = 4;
    return closed(kernel_.bpf(uapi::BPF_MAP_CREATE, attr));
  }
  long load(std::uint32_t type, std::string_view text, std::uint32_t padding = 0) {
    std::string padded;
    for (std::uint32_t i = 0; i < padding; ++i) padded += "r0 = 0\n";
    const std::vector<isa::RawInsn> insns = isa::assemble(padded + std::string(text)).value();
    uapi::bpf_attr attr = kernel_.attr();
    attr.prog_type = type;
    attr.insns = kernel_.address(insns.data());
    attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.license = kernel_.address("GPL");
    return closed(kernel_.bpf(uapi::BPF_PROG_LOAD, attr));
  }
  /// 0 instead of a descriptor.
  static long closed(long result) {
    if (result < 0) return result;
    ::close(static_cast<int>(result));
    return 0;
  }

  test::FakeKernel kernel_;
};

constexpr std::string_view kNothing = "r0 = 0\nexit";

TEST_F(UnprivilegedTest, NothingWhileItIsOff) {
  EXPECT_EQ(create(uapi::BPF_MAP_TYPE_HASH), -EPERM);
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, kNothing), -EPERM);
}

TEST_F(UnprivilegedTest, BasicMapsAndSocketFiltersWhileItIsOn) {
  kernel_.unprivileged = true;
  EXPECT_EQ(create(uapi::BPF_MAP_TYPE_HASH), 0);
  EXPECT_EQ(create(uapi::BPF_MAP_TYPE_LRU_HASH), -EPERM);
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, kNothing), 0);
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_KPROBE, kNothing), -EPERM);
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_XDP, kNothing), -EPERM);
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SYSCALL, kNothing), -EPERM);
  EXPECT_EQ(load(12345, kNothing), -EPERM);
}

TEST_F(UnprivilegedTest, ProgramsAreShort) {
  kernel_.unprivileged = true;
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, kNothing, 4094), 0);
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, kNothing, 4095), -E2BIG);
}

TEST_F(UnprivilegedTest, AddressesStayHidden) {
  kernel_.unprivileged = true;
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, "r0 = r10\nexit"), -EACCES);
  kernel_.rights = {.bpf = true};
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, "r0 = r10\nexit"), -EACCES);
  kernel_.rights = {.bpf = true, .perfmon = true};
  EXPECT_EQ(load(uapi::BPF_PROG_TYPE_SOCKET_FILTER, "r0 = r10\nexit"), 0);
}

}  // namespace
}  // namespace ring3::syscall
