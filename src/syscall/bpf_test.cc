// The entry: sizes, tails, rights, outputs (behaviour.md 0.1), and the table itself.
#include "syscall/bpf.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "syscall/command_table.h"
#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

using test::FakeKernel;

constexpr long err(Errno e) { return to_syscall(e); }

uapi::bpf_attr array_attr() {
  uapi::bpf_attr attr = FakeKernel::attr();
  attr.map_type = uapi::BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = 4;
  attr.max_entries = 1;
  return attr;
}

TEST(BpfEntryTest, UnknownCommandsAreInval) {
  FakeKernel k;
  uapi::bpf_attr attr = FakeKernel::attr();
  for (int cmd : {-1, 37, 1000, 1 << 20}) EXPECT_EQ(k.bpf(cmd, attr), err(Errno::kInval)) << cmd;
}

TEST(BpfEntryTest, LongAttributesMustEndInZeros) {
  FakeKernel k;
  std::array<std::byte, 8192> big{};
  auto attr = array_attr();
  std::memcpy(big.data(), &attr, sizeof attr);
  OwnCaller caller(model::Rights::all());
  const auto create = [&](std::uint32_t size) {
    return bpf(k.kernel(), caller, uapi::BPF_MAP_CREATE, FakeKernel::address(big.data()), size);
  };
  const OwnedFd fd(static_cast<int>(create(sizeof attr + 100)));
  EXPECT_GE(fd.get(), 0);
  big[sizeof attr + 99] = std::byte{1};
  EXPECT_EQ(create(sizeof attr + 100), err(Errno::kTooBig));
  EXPECT_EQ(create(4097), err(Errno::kTooBig));
}

TEST(BpfEntryTest, ShortAttributesReadAsZero) {
  FakeKernel k;
  auto attr = array_attr();
  attr.map_extra = 77;  // beyond the size given
  const OwnedFd fd(static_cast<int>(k.bpf(uapi::BPF_MAP_CREATE, attr, 20)));
  EXPECT_GE(fd.get(), 0);
}

TEST(BpfEntryTest, UnreadableAttributesFault) {
  FakeKernel k;
  OwnCaller caller(model::Rights::all());
  EXPECT_EQ(bpf(k.kernel(), caller, uapi::BPF_MAP_CREATE, 0, 72), err(Errno::kFault));
  EXPECT_EQ(bpf(k.kernel(), caller, uapi::BPF_MAP_CREATE, UINT64_MAX - 20, 72), err(Errno::kFault));
}

TEST(BpfEntryTest, EveryCommandRefusesATail) {
  FakeKernel k;
  for (const Command& command : commands()) {
    if (command.last.end() >= sizeof(uapi::bpf_attr)) continue;
    uapi::bpf_attr attr = FakeKernel::attr();
    reinterpret_cast<unsigned char*>(&attr)[command.last.end()] = 1;
    EXPECT_EQ(k.bpf(command.number, attr), err(Errno::kInval)) << command.name;
  }
}

TEST(BpfEntryTest, EveryCommandAnswersZerosWithoutHarm) {
  FakeKernel k;
  for (const Command& command : commands()) {
    uapi::bpf_attr attr = FakeKernel::attr();
    const long result = k.bpf(command.number, attr);
    if (result > 0) ::close(static_cast<int>(result));
    if (command.support == Support::kRefused) {
      EXPECT_EQ(result, err(command.refusal)) << command.name;
    }
  }
}

TEST(BpfEntryTest, RightsAreCheckedByRow) {
  FakeKernel k;
  k.rights = model::Rights{};
  for (const Command& command : commands()) {
    if (command.right != Right::kSysAdmin) continue;
    uapi::bpf_attr attr = FakeKernel::attr();
    EXPECT_EQ(k.bpf(command.number, attr), err(Errno::kPerm)) << command.name;
  }
  auto attr = array_attr();
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_CREATE, attr), err(Errno::kPerm));
  attr.map_extra = 1;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_CREATE, attr), err(Errno::kInval)) << "the attribute is looked at first";
}

TEST(BpfEntryTest, HostPolicyComesBeforeTheCommand) {
  FakeKernel k;
  k.policy = Errno::kPerm;
  auto attr = array_attr();
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_CREATE, attr), err(Errno::kPerm));
}

TEST(BpfEntryTest, OutputsStayWithinTheClientsSize) {
  FakeKernel k;
  auto attr = FakeKernel::attr();
  attr.next_id = 0xdead;
  EXPECT_EQ(k.bpf(uapi::BPF_BTF_GET_NEXT_ID, attr, 4), 0);
  EXPECT_EQ(attr.next_id, 0xdeadu) << "beyond the size given";
  attr = FakeKernel::attr();
  EXPECT_EQ(k.bpf(uapi::BPF_BTF_GET_NEXT_ID, attr, 8), 0);
  EXPECT_EQ(attr.next_id, 1u);
}

TEST(BpfEntryTest, CommandsAreTraced) {
  FakeKernel k;
  k.trace_commands = true;
  auto attr = FakeKernel::attr();
  k.bpf(uapi::BPF_BTF_GET_NEXT_ID, attr);
  k.bpf(99, attr);
  EXPECT_EQ(k.traces, (std::vector<std::string>{"BTF_GET_NEXT_ID = 0", " = -22"}));
}

TEST(BpfEntryTest, E_33_CommonAttributesCarryALog) {
  FakeKernel k;
  OwnCaller caller(model::Rights::all());
  char text[200] = {};
  struct {
    std::uint64_t log_buf;
    std::uint32_t log_size, log_level, log_true_size, padding;
  } common{FakeKernel::address(text), sizeof text, 1, 0, 0};
  auto attr = array_attr();
  const auto create = [&](std::uint64_t address, std::uint32_t size) {
    return bpf(k.kernel(), caller, int{uapi::BPF_MAP_CREATE} | int{uapi::BPF_COMMON_ATTRS}, FakeKernel::address(&attr),
               sizeof attr, {address, size});
  };
  EXPECT_EQ(create(0, sizeof common), err(Errno::kFault)) << "libbpf's probe";
  EXPECT_EQ(create(FakeKernel::address(&common), 8), err(Errno::kInval));
  const OwnedFd fd(static_cast<int>(create(FakeKernel::address(&common), sizeof common)));
  EXPECT_GE(fd.get(), 0);
  attr.value_size = 0;
  EXPECT_EQ(create(FakeKernel::address(&common), sizeof common), err(Errno::kInval));
  EXPECT_NE(std::string(text).find("value_size 0"), std::string::npos) << text;
  EXPECT_GT(common.log_true_size, 1u);
}

TEST(CommandTableTest, DocsAreFresh) {
  StringSink docs;
  print_command_docs(docs);
  if (std::getenv("RING3_BLESS") != nullptr) std::ofstream("docs/syscalls.md") << docs.text();
  std::ifstream file("docs/syscalls.md");
  std::stringstream content;
  content << file.rdbuf();
  EXPECT_EQ(content.str(), docs.text()) << "run syscall_test with RING3_BLESS=1";
}

}  // namespace
}  // namespace ring3::syscall
