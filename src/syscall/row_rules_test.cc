// Behaviour 0.1 for every command, from the rows: sizes, tails, rights, the five-argument form, and what an attribute of zeros is
// answered. A command of Linux 6.12 without a row, or a row without a line here, fails.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "syscall/bpf.h"
#include "syscall/command_table.h"
#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

using test::FakeKernel;

constexpr std::uint32_t kAttrBytes = sizeof(uapi::bpf_attr);
constexpr std::uint32_t kPage = 4096;

struct CommonRecord {
  std::uint64_t log_buf = 0;
  std::uint32_t log_size = 0, log_level = 0, log_true_size = 0, padding = 0;
};

class RowRules : public ::testing::Test {
 protected:
  /// bytes: of an attribute in front of zeros. A descriptor that comes back is closed.
  long send(int number, std::uint32_t size, CommonAttrs common = {}) {
    OwnCaller caller(rights, nullptr);
    const long result = bpf(k_.kernel(), caller, number, FakeKernel::address(attr_.data()), size, common);
    if (result > 0) ::close(static_cast<int>(result));
    return result;
  }
  long zeros(int number) {
    attr_.fill(std::byte{0});
    return send(number, kAttrBytes);
  }

  FakeKernel k_;
  model::Rights rights = model::Rights::all();
  alignas(8) std::array<std::byte, 2 * kPage> attr_{};
};

/// What zeros are answered. Descriptor 0 is open, and no BPF object.
const std::map<std::string_view, Errno> kZeros = {
    {"MAP_CREATE", Errno::kInval},          {"MAP_LOOKUP_ELEM", Errno::kInval},    {"MAP_UPDATE_ELEM", Errno::kInval},
    {"MAP_DELETE_ELEM", Errno::kInval},     {"MAP_GET_NEXT_KEY", Errno::kInval},   {"PROG_LOAD", Errno::kTooBig},
    {"OBJ_PIN", Errno::kInval},             {"OBJ_GET", Errno::kFault},            {"PROG_ATTACH", Errno::kInval},
    {"PROG_DETACH", Errno::kInval},         {"PROG_TEST_RUN", Errno::kInval},      {"PROG_GET_NEXT_ID", Errno::kNoEnt},
    {"MAP_GET_NEXT_ID", Errno::kNoEnt},     {"PROG_GET_FD_BY_ID", Errno::kNoEnt},  {"MAP_GET_FD_BY_ID", Errno::kNoEnt},
    {"OBJ_GET_INFO_BY_FD", Errno::kInval},  {"PROG_QUERY", Errno::kInval},         {"RAW_TRACEPOINT_OPEN", Errno::kInval},
    {"BTF_LOAD", Errno::kInval},            {"BTF_GET_FD_BY_ID", Errno::kNoEnt},   {"TASK_FD_QUERY", Errno::kNoEnt},
    {"MAP_LOOKUP_AND_DELETE_ELEM", Errno::kInval}, {"MAP_FREEZE", Errno::kInval},  {"BTF_GET_NEXT_ID", Errno{}},
    {"MAP_LOOKUP_BATCH", Errno::kInval},    {"MAP_LOOKUP_AND_DELETE_BATCH", Errno::kInval}, {"MAP_UPDATE_BATCH", Errno::kInval},
    {"MAP_DELETE_BATCH", Errno::kInval},    {"LINK_CREATE", Errno::kInval},        {"LINK_UPDATE", Errno::kInval},
    {"LINK_GET_FD_BY_ID", Errno::kNoEnt},   {"LINK_GET_NEXT_ID", Errno::kNoEnt},   {"ENABLE_STATS", Errno{}},
    {"ITER_CREATE", Errno::kInval},         {"LINK_DETACH", Errno::kInval},        {"PROG_BIND_MAP", Errno::kInval},
    {"TOKEN_CREATE", Errno::kInval},
};

TEST_F(RowRules, EveryCommandAnswersZerosAsLinux) {
  ASSERT_EQ(commands().size(), std::size_t{uapi::__MAX_BPF_CMD});
  for (const Command& command : commands()) {
    ASSERT_EQ(kZeros.count(command.name), 1u) << command.name;
    const Errno expected = kZeros.at(command.name);
    const long result = zeros(command.number);
    if (expected == Errno{}) {
      EXPECT_GE(result, 0) << command.name;
    } else {
      EXPECT_EQ(result, to_syscall(expected)) << command.name;
    }
  }
}

TEST_F(RowRules, SizesAreJudgedBeforeAnythingElse) {
  for (const Command& command : commands()) {
    attr_.fill(std::byte{0});
    EXPECT_EQ(send(command.number, kPage + 1), to_syscall(Errno::kTooBig)) << command.name;
    // Longer is fine as long as it says nothing more.
    EXPECT_EQ(send(command.number, kPage) < 0, zeros(command.number) < 0) << command.name;
    attr_[kAttrBytes + 7] = std::byte{1};
    EXPECT_EQ(send(command.number, kAttrBytes + 8), to_syscall(Errno::kTooBig)) << command.name;
    attr_.fill(std::byte{0});
    OwnCaller caller(model::Rights{});
    EXPECT_EQ(bpf(k_.kernel(), caller, command.number, 8, kAttrBytes), to_syscall(Errno::kFault)) << command.name;
  }
  EXPECT_EQ(send(1000, kPage + 1), to_syscall(Errno::kTooBig)) << "the number is looked at later";
}

TEST_F(RowRules, WhatIsCutOffReadsAsZero) {
  for (const Command& command : commands()) {
    const long whole = zeros(command.number);
    for (std::uint32_t size = 0; size < kAttrBytes; size += 4) {
      attr_.fill(std::byte{0xff});
      std::fill_n(attr_.begin(), size, std::byte{0});
      const long cut = send(command.number, size);
      EXPECT_EQ(whole < 0 ? whole : 0, cut < 0 ? cut : 0) << command.name << " of " << size;
    }
  }
}

/// Also for callers who may do nothing: the attribute is looked at first.
TEST_F(RowRules, EveryByteBehindTheLastFieldCounts) {
  for (const bool mighty : {true, false}) {
    rights = mighty ? model::Rights::all() : model::Rights{};
    for (const Command& command : commands())
      for (std::uint32_t at = command.last.end(); at < kAttrBytes; ++at) {
        attr_.fill(std::byte{0});
        attr_[at] = std::byte{1};
        EXPECT_EQ(send(command.number, kAttrBytes), to_syscall(Errno::kInval)) << command.name << " byte " << at;
      }
  }
}

TEST_F(RowRules, TheLastFieldItselfIsRead) {
  for (const Command& command : commands()) {
    attr_.fill(std::byte{0});
    attr_[command.last.end() - 1u] = std::byte{0x7f};
    const long result = send(command.number, kAttrBytes);
    // A program of no instructions is E2BIG as well, whatever its keyring.
    const bool none_to_load = command.number == uapi::BPF_PROG_LOAD;
    EXPECT_EQ(result == to_syscall(Errno::kTooBig), none_to_load) << command.name;
  }
}

TEST_F(RowRules, RightsAreThoseOfTheRow) {
  rights = {};
  for (const Command& command : commands()) {
    const long result = zeros(command.number);
    if (command.right == Right::kSysAdmin) {
      EXPECT_EQ(result, to_syscall(Errno::kPerm)) << command.name;
    }
    EXPECT_LE(result, 0) << command.name << ": nothing comes out for callers without rights";
  }
}

TEST_F(RowRules, TheFiveArgumentFormIsTheSameForAll) {
  CommonRecord good;
  struct {
    CommonRecord known;
    std::uint64_t more = 1;
  } longer;
  for (const Command& command : commands()) {
    const int flagged = command.number | uapi::BPF_COMMON_ATTRS;
    attr_.fill(std::byte{0});
    EXPECT_EQ(send(flagged, kAttrBytes, {0, sizeof good}), to_syscall(Errno::kFault)) << command.name;
    EXPECT_EQ(send(flagged, kAttrBytes, {FakeKernel::address(&good), 16}), to_syscall(Errno::kInval)) << command.name;
    EXPECT_EQ(send(flagged, kAttrBytes, {FakeKernel::address(&longer), sizeof longer}), to_syscall(Errno::kTooBig)) << command.name;
    EXPECT_EQ(send(flagged, kAttrBytes, {FakeKernel::address(&good), kPage + 1}), to_syscall(Errno::kTooBig)) << command.name;
    attr_.fill(std::byte{0});
    const long with = send(flagged, kAttrBytes, {FakeKernel::address(&good), sizeof good}), without = zeros(command.number);
    EXPECT_EQ(with < 0 ? with : 0, without < 0 ? without : 0) << command.name;
  }
}

TEST_F(RowRules, OneCommandHasOneLog) {
  char mine[256] = {}, common[256] = {};
  CommonRecord record{FakeKernel::address(common), sizeof common, 1};
  uapi::bpf_attr attr = FakeKernel::attr();
  const struct {
    std::uint8_t code, regs;
    std::int16_t off;
    std::int32_t imm;
  } insns[] = {{0x95, 0, 0, 0}};  // r0 was never set
  const auto load = [&](std::uint64_t own) {
    attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = FakeKernel::address(insns);
    attr.insn_cnt = 1;
    attr.license = FakeKernel::address("GPL");
    attr.log_buf = own;
    attr.log_size = own != 0 ? sizeof mine : 0;
    attr.log_level = own != 0 ? 1 : 0;
    OwnCaller caller(model::Rights::all());
    return bpf(k_.kernel(), caller, int{uapi::BPF_PROG_LOAD} | int{uapi::BPF_COMMON_ATTRS}, FakeKernel::address(&attr), sizeof attr,
               {FakeKernel::address(&record), sizeof record});
  };
  EXPECT_EQ(load(FakeKernel::address(mine)), to_syscall(Errno::kInval));
  EXPECT_EQ(std::string(mine), "");
  EXPECT_EQ(load(0), to_syscall(Errno::kAcces));
  EXPECT_NE(std::string(common).find("R0 !read_ok"), std::string::npos) << common;
  EXPECT_GT(record.log_true_size, 1u);
  EXPECT_EQ(load(FakeKernel::address(common)), to_syscall(Errno::kAcces)) << "the same buffer twice is one";
}

/// docs/syscalls.md says what a client meets: one line a command, in order, and what it claims is so.
TEST_F(RowRules, TheTableOfTheDocumentationIsTheTable) {
  std::ifstream file("docs/syscalls.md");
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.size() < 3 || line[0] != '|' || line[2] < '0' || line[2] > '9') continue;
    std::vector<std::string> cells;
    for (std::size_t at = 1; at < line.size();) {
      const std::size_t end = line.find('|', at);
      cells.push_back(line.substr(at + 1, end - at - (end > at + 1 ? 2 : 1)));
      at = end + 1;
    }
    rows.push_back(cells);
  }
  ASSERT_EQ(rows.size(), std::size_t{uapi::__MAX_BPF_CMD});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Command* command = find_command(static_cast<int>(i));
    ASSERT_NE(command, nullptr) << i;
    EXPECT_EQ(rows[i][0], std::to_string(i));
    EXPECT_EQ(rows[i][1], command->name);
    EXPECT_EQ(rows[i][3], std::to_string(command->last.end())) << command->name;
    const std::string& support = rows[i][5];
    EXPECT_TRUE(support == "full" || support == "partial" || support == "refused") << support;
    EXPECT_EQ(support == "refused", command->handler == nullptr) << command->name;
    EXPECT_EQ(support == "full", command->note.empty()) << command->name << ": what is missing is said";
  }
  EXPECT_EQ(zeros(static_cast<int>(rows.size())), to_syscall(Errno::kInval));
}

TEST_F(RowRules, DescriptorsOfProcessesLeadToNoTracepoint) {
  uapi::bpf_attr attr = FakeKernel::attr();
  attr.task_fd_query.pid = static_cast<std::uint32_t>(::getpid());
  attr.task_fd_query.fd = 0;
  EXPECT_EQ(k_.bpf(uapi::BPF_TASK_FD_QUERY, attr), to_syscall(Errno::kNotSupp));
  attr.task_fd_query.fd = 99999;
  EXPECT_EQ(k_.bpf(uapi::BPF_TASK_FD_QUERY, attr), to_syscall(Errno::kBadF));
  attr.task_fd_query.pid = 0x7fffffff;
  EXPECT_EQ(k_.bpf(uapi::BPF_TASK_FD_QUERY, attr), to_syscall(Errno::kNoEnt));
  attr.task_fd_query.flags = 1;
  EXPECT_EQ(k_.bpf(uapi::BPF_TASK_FD_QUERY, attr), to_syscall(Errno::kInval));
}

}  // namespace
}  // namespace ring3::syscall
