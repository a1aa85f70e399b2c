// Clocks, CPUs, tasks, text, probes, loops: one test a rule.
#include <cstring>
#include <string>

#include "exec/client.h"
#include "tests/support/helper_test.h"

namespace ring3::exec {
namespace {

using namespace uapi;

class HelpersTest : public HelperTest {};

TEST_F(HelpersTest, ClocksAreTheHosts) {
  host_.set_now(8'000'000'000);
  EXPECT_EQ(call(BPF_FUNC_ktime_get_ns), 8'000'000'000);
  EXPECT_EQ(call(BPF_FUNC_ktime_get_coarse_ns), 8'000'000'000);
  EXPECT_EQ(call(BPF_FUNC_ktime_get_boot_ns), 9'000'000'000);
  EXPECT_EQ(call(BPF_FUNC_ktime_get_tai_ns), 45'000'000'000);
  EXPECT_EQ(call(BPF_FUNC_jiffies64), 2000);
}

TEST_F(HelpersTest, ProcessorIsTheLeasedSlot) {
  run_.holds_slot = true;
  run_.cpu = 3;
  EXPECT_EQ(call(BPF_FUNC_get_smp_processor_id), 3);
  run_.holds_slot = false;
  EXPECT_LT(call(BPF_FUNC_get_smp_processor_id), 4);
  EXPECT_GE(call(BPF_FUNC_get_numa_node_id), 0);
}

TEST_F(HelpersTest, RandomNumbersAre32BitsWideAndDiffer) {
  std::uint64_t all = 0;
  const std::int64_t first = call(BPF_FUNC_get_prandom_u32);
  bool differ = false;
  for (int i = 0; i < 64; ++i) {
    const std::int64_t next = call(BPF_FUNC_get_prandom_u32);
    all |= static_cast<std::uint64_t>(next);
    differ |= next != first;
  }
  EXPECT_EQ(all >> 32, 0u);
  EXPECT_TRUE(differ);
}

TEST_F(HelpersTest, CurrentTask) {
  EXPECT_EQ(call(BPF_FUNC_get_current_pid_tgid), (1000ll << 32) | 1001);
  EXPECT_EQ(call(BPF_FUNC_get_current_uid_gid), (501ll << 32) | 500);
}

TEST_F(HelpersTest, CommFillsTheBuffer) {
  host_.set_comm("redis-server");
  char name[20];
  std::memset(name, 'x', sizeof(name));
  EXPECT_EQ(call(BPF_FUNC_get_current_comm, name, 16), 0);
  EXPECT_EQ(std::string(name, 16), std::string("redis-server\0\0\0\0", 16));
  EXPECT_EQ(name[16], 'x');
  EXPECT_EQ(call(BPF_FUNC_get_current_comm, name, 6), 0);
  EXPECT_STREQ(name, "redis");
  EXPECT_EQ(call(BPF_FUNC_get_current_comm, name, 0), -22);
}

TEST_F(HelpersTest, StrncmpLooksAtSizeBytes) {
  EXPECT_EQ(call(BPF_FUNC_strncmp, "abc", 4, "abc"), 0);
  EXPECT_LT(call(BPF_FUNC_strncmp, "abc", 4, "abd"), 0);
  EXPECT_GT(call(BPF_FUNC_strncmp, "b", 2, "abc"), 0);
  EXPECT_EQ(call(BPF_FUNC_strncmp, "abX", 2, "abc"), 0);
  EXPECT_EQ(call(BPF_FUNC_strncmp, "a\0x", 3, "a\0y"), 0);
}

class StrtolTest : public HelpersTest {
 protected:
  std::int64_t parse(std::uint32_t id, std::string_view text, std::uint64_t flags) {
    value_ = 0x5555;
    return call(id, text.data(), text.size(), flags, &value_);
  }
  std::int64_t value_ = 0;
};

TEST_F(StrtolTest, NumbersInEveryBase) {
  EXPECT_EQ(parse(BPF_FUNC_strtol, "  -42x", 10), 5);
  EXPECT_EQ(value_, -42);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "0x1F", 0), 4);
  EXPECT_EQ(value_, 31);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "017", 0), 3);
  EXPECT_EQ(value_, 15);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "ff ", 16), 2);
  EXPECT_EQ(value_, 255);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "-9223372036854775808", 10), 20);
  EXPECT_EQ(value_, INT64_MIN);
  EXPECT_EQ(parse(BPF_FUNC_strtoul, "18446744073709551615", 10), 20);
  EXPECT_EQ(value_, -1);
}

TEST_F(StrtolTest, BadInputs) {
  EXPECT_EQ(parse(BPF_FUNC_strtol, "", 10), -22);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "   ", 10), -22);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "-", 10), -22);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "x1", 10), -22);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "1", 7), -22);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "1", 32), -22);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "9223372036854775808", 10), -34);
  EXPECT_EQ(parse(BPF_FUNC_strtol, "-9223372036854775809", 10), -34);
  EXPECT_EQ(parse(BPF_FUNC_strtoul, "18446744073709551616", 10), -34);
  EXPECT_EQ(parse(BPF_FUNC_strtoul, "-1", 10), -22);
  EXPECT_EQ(value_, 0);  // written by failures too
}

TEST_F(HelpersTest, ProbeReadsCopyOrZero) {
  const std::uint64_t from = 0x1122334455667788;
  std::uint64_t to = 0;
  EXPECT_EQ(call(BPF_FUNC_probe_read_kernel, &to, 8, &from), 0);
  EXPECT_EQ(to, from);
  EXPECT_EQ(call(BPF_FUNC_probe_read_kernel, &to, 8, 16), -14);
  EXPECT_EQ(to, 0u);
  to = from;
  EXPECT_EQ(call(BPF_FUNC_probe_read_user, &to, 8, ~0ull), -14);
  EXPECT_EQ(to, 0u);
  EXPECT_EQ(call(BPF_FUNC_probe_read, &to, 0, 0), 0);
}

TEST_F(HelpersTest, ProbeReadStrings) {
  char to[8] = "-------";
  EXPECT_EQ(call(BPF_FUNC_probe_read_kernel_str, to, sizeof(to), "abc"), 4);
  EXPECT_STREQ(to, "abc");
  EXPECT_EQ(to[4], '-');
  EXPECT_EQ(call(BPF_FUNC_probe_read_user_str, to, 3, "abc"), 3);
  EXPECT_STREQ(to, "ab");
  EXPECT_EQ(call(BPF_FUNC_probe_read_str, to, sizeof(to), 8), -14);
  EXPECT_EQ(std::string(to, sizeof(to)), std::string(8, '\0'));
}

/// Eight bytes of another process, at address 100.
class FakeClient final : public Client {
 public:
  bool read(std::uint64_t address, void* into, std::size_t bytes) noexcept override {
    if (address < 100 || address + bytes > 108) return false;
    std::memcpy(into, text_ + (address - 100), bytes);
    return true;
  }
  bool write(std::uint64_t, const void*, std::size_t) noexcept override { return false; }
  long command(int number, void* attr, std::uint32_t bytes) noexcept override {
    return number == 5 && bytes == 8 ? *static_cast<const int*>(attr) : -22;
  }
  long close(int fd) noexcept override { return fd == 3 ? 0 : -9; }
  long symbol(std::string_view name, std::uint64_t* address) noexcept override {
    if (name != "known") return -2;
    *address = 0x1000;
    return 0;
  }

 private:
  const char text_[9] = "client\0x";
};

TEST_F(HelpersTest, UserMemoryOfASyscallProgramIsTheClients) {
  FakeClient client;
  run_.client = &client;
  char to[8];
  EXPECT_EQ(call(BPF_FUNC_copy_from_user, to, 8, 100), 0);
  EXPECT_STREQ(to, "client");
  EXPECT_EQ(call(BPF_FUNC_copy_from_user, to, 8, 101), -14);
  EXPECT_EQ(to[0], '\0');
  EXPECT_EQ(call(BPF_FUNC_probe_read_user_str, to, 8, 102), 5);
  EXPECT_STREQ(to, "ient");
  EXPECT_EQ(call(BPF_FUNC_probe_read_user_str, to, 8, 107), -14);
  EXPECT_EQ(call(BPF_FUNC_copy_from_user, to, 8, to), -14);  // host memory is not the client's
}

TEST_F(HelpersTest, SyscallProgramsActForTheirClient) {
  FakeClient client;
  const std::uint64_t attr = 77;
  std::uint64_t address = 1;
  EXPECT_EQ(call(BPF_FUNC_sys_bpf, 5, &attr, 8), -22);  // nobody to act for
  EXPECT_EQ(call(BPF_FUNC_sys_close, 3), -9);
  EXPECT_EQ(call(BPF_FUNC_kallsyms_lookup_name, "known", 6, 0, &address), -1);
  EXPECT_EQ(address, 0u);
  run_.client = &client;
  EXPECT_EQ(call(BPF_FUNC_sys_bpf, 5, &attr, 8), 77);
  EXPECT_EQ(call(BPF_FUNC_sys_bpf, 6, &attr, 8), -22);
  EXPECT_EQ(call(BPF_FUNC_sys_close, 3), 0);
  EXPECT_EQ(call(BPF_FUNC_sys_close, 4), -9);
  EXPECT_EQ(call(BPF_FUNC_kallsyms_lookup_name, "known", 6, 0, &address), 0);
  EXPECT_EQ(address, 0x1000u);
  EXPECT_EQ(call(BPF_FUNC_kallsyms_lookup_name, "other", 6, 0, &address), -2);
  EXPECT_EQ(address, 0u);
  for (const std::uint64_t size : {0u, 1u, 5u}) EXPECT_EQ(call(BPF_FUNC_kallsyms_lookup_name, "known", size, 0, &address), -22) << size;
  EXPECT_EQ(call(BPF_FUNC_kallsyms_lookup_name, "known", 6, 1, &address), -22);
}

TEST_F(HelpersTest, TracingQuestions) {
  run_.func_ip = 0x1234;
  run_.attach_cookie = 77;
  EXPECT_EQ(call(BPF_FUNC_get_func_ip), 0x1234);
  EXPECT_EQ(call(BPF_FUNC_get_attach_cookie), 77);
}

/// A program whose subprogram 2 adds its first argument up and stops at a limit.
class AddingCode final : public Code {
 public:
  std::uint64_t call_subprog(RunContext&, std::uint32_t subprog, std::uint64_t r1, std::uint64_t r2, std::uint64_t,
                             std::uint64_t, std::uint64_t) const override {
    EXPECT_EQ(subprog, 2u);
    auto* sum = reinterpret_cast<std::uint64_t*>(r2);
    *sum += r1;
    return r1 == stop_at ? 1 : 0;
  }
  const char* tier() const override { return "test"; }
  std::uint64_t stop_at = UINT64_MAX;

 protected:
  std::uint64_t enter(RunContext&, void*) const override { return 0; }
};

TEST_F(HelpersTest, LoopCallsBackUntilTold) {
  AddingCode code;
  run_.code = &code;
  std::uint64_t sum = 0;
  EXPECT_EQ(call(BPF_FUNC_loop, 5, 2, &sum, 0), 5);
  EXPECT_EQ(sum, 10u);
  EXPECT_EQ(call(BPF_FUNC_loop, 0, 2, &sum, 0), 0);
  code.stop_at = 3;
  sum = 0;
  EXPECT_EQ(call(BPF_FUNC_loop, 100, 2, &sum, 0), 4);
  EXPECT_EQ(sum, 6u);
  EXPECT_EQ(call(BPF_FUNC_loop, 1, 2, &sum, 1), -22);
  EXPECT_EQ(call(BPF_FUNC_loop, 8 * 1024 * 1024 + 1, 2, &sum, 0), -7);
}

}  // namespace
}  // namespace ring3::exec
