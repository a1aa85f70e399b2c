// The running kernel as oracle for src/isa: the same text in its verifier log, the same refusals of bad fields.
// Only BPF_PROG_LOAD of socket filters is used, nothing is attached. Where bpf(2) is not allowed, skipped.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include <gtest/gtest.h>

#include "isa/decode.h"
#include "isa/disassemble.h"
#include "isa/row_samples.h"
#include "uapi/bpf.h"

namespace ring3::isa {
namespace {

struct Answer {
  int error = 0;  // 0: accepted
  std::string log;
};

Answer load(const std::vector<RawInsn>& program) {
  static char buffer[1 << 16];
  buffer[0] = '\0';
  uapi::bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insns = reinterpret_cast<std::uintptr_t>(program.data());
  attr.insn_cnt = static_cast<std::uint32_t>(program.size());
  attr.license = reinterpret_cast<std::uintptr_t>("GPL");
  attr.log_level = 2;
  attr.log_buf = reinterpret_cast<std::uintptr_t>(buffer);
  attr.log_size = sizeof buffer;
  const long fd = syscall(SYS_bpf, uapi::BPF_PROG_LOAD, &attr, sizeof attr);
  Answer answer{fd < 0 ? errno : 0, buffer};
  if (fd >= 0) close(static_cast<int>(fd));
  return answer;
}

/// Every register written first, so that only the slots themselves can be at fault; r0 = 0 and exit behind.
constexpr std::uint8_t kInitialised[] = {0, 2, 3, 4, 5, 6, 7, 8, 9};

std::vector<RawInsn> program_around(const std::vector<RawInsn>& slots) {
  std::vector<RawInsn> program;
  for (std::uint8_t reg : kInitialised) program.push_back(RawInsn{0xb7, static_cast<std::uint8_t>(reg & 15), 0, 0, 1});
  program.insert(program.end(), slots.begin(), slots.end());
  if (slots[0].code == 0x95) return program;  // code behind an exit would be unreachable
  program.push_back(RawInsn{0xb7, 0, 0, 0, 0});
  program.push_back(RawInsn{0x95, 0, 0, 0, 0});
  return program;
}

class NativeIsaTest : public testing::Test {
 protected:
  void SetUp() override {
    const Answer answer = load({{0xb7, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}});
    if (answer.error != 0) GTEST_SKIP() << "bpf(2) loads nothing here: " << std::strerror(answer.error);
  }
};

/// Slots the kernel prints: targets inside the program, no references to objects, helpers as they are.
bool is_printable(const Sample& sample) {
  const Row& row = kRows[sample.row];
  if (row.src.role == Role::kIs) return false;  // pseudo sources
  if (row.op == Op::kAddrSpaceCast || row.form == Form::kMayGoto) return false;
  if (row.off.role == Role::kJump) return sample.slots[0].off == 0 || sample.slots[0].off == 1;
  if (row.imm.role == Role::kJump) return sample.slots[0].imm == 0 || sample.slots[0].imm == 1;
  return true;
}

TEST_F(NativeIsaTest, TheLogPrintsWhatTheDisassemblerPrints) {
  int compared = 0;
  for (const Sample& sample : row_samples()) {
    if (!is_printable(sample)) continue;
    const std::string want = "9: " + disassemble(decode(sample.slots).value()[0]);
    const Answer answer = load(program_around(sample.slots));
    if (answer.log.find("9: (") == std::string::npos) continue;  // refused before it was walked
    ++compared;
    // A state may follow the instruction on its line.
    const std::size_t at = answer.log.find(want);
    ASSERT_NE(at, std::string::npos) << want << "\n" << answer.log;
    const char next = answer.log[at + want.size()];
    EXPECT_TRUE(next == '\n' || next == ' ') << want << "\n" << answer.log;
  }
  EXPECT_GT(compared, 1000);
}

/// One legal slot of every row with one field made illegal.
std::vector<std::vector<RawInsn>> broken_programs() {
  std::vector<std::vector<RawInsn>> out;
  std::size_t last_row = kRowCount;
  for (const Sample& sample : row_samples()) {
    if (sample.row == last_row) continue;
    last_row = sample.row;
    const auto with = [&](auto&& change) {
      out.push_back(sample.slots);
      change(out.back()[0]);
    };
    for (int bad : {1, 2, 11, 15}) {
      with([&](RawInsn& r) { r.dst = static_cast<std::uint8_t>(bad & 15); });
      with([&](RawInsn& r) { r.src = static_cast<std::uint8_t>(bad & 15); });
    }
    for (int bad : {2, 3, -1, 64}) {
      if (kRows[sample.row].off.role != Role::kJump) with([&](RawInsn& r) { r.off = static_cast<std::int16_t>(bad); });
      if (kRows[sample.row].imm.role != Role::kJump) with([&](RawInsn& r) { r.imm = bad; });
    }
  }
  for (int code = 0; code < 256; ++code) out.push_back({{static_cast<std::uint8_t>(code), 0, 0, 0, 0}});
  return out;
}

/// Faults of the same programs that Linux sees first, because it checks most fields on reaching an instruction
/// and we check them before; and what it says since 6.15 of atomics on 1 and 2 bytes.
bool another_fault_came_first(const std::string& log) {
  for (const char* words : {"associated arena", "last insn is not an exit", "unreachable insn", "valid bpf_map", "pseudo btf_id",
                            "fd_idx without fd_array", "R6 != pointer to skb", "invalid atomic operand size"})
    if (log.find(words) != std::string::npos) return true;
  return false;
}

TEST_F(NativeIsaTest, WhatFieldChecksRefuseLinuxRefusesWithTheSameWords) {
  int compared = 0;
  for (const auto& slots : broken_programs()) {
    const std::vector<RawInsn> program = program_around(slots);
    const auto error = check_fields(program);
    if (!error) continue;
    const Answer answer = load(program);
    if (another_fault_came_first(answer.log)) continue;
    ++compared;
    EXPECT_EQ(answer.error, static_cast<int>(error->error)) << error->message << "\n" << answer.log;
    EXPECT_NE(answer.log.find(error->message), std::string::npos)
        << std::hex << +slots[0].code << " dst " << +slots[0].dst << " src " << +slots[0].src << " off " << slots[0].off
        << " imm " << slots[0].imm << ": " << error->message << "\n" << answer.log;
  }
  EXPECT_GT(compared, 300);
}

TEST_F(NativeIsaTest, WhatFieldChecksAcceptLinuxDoesNotRefuseForItsFields) {
  for (const auto& slots : broken_programs()) {
    const std::vector<RawInsn> program = program_around(slots);
    if (check_fields(program)) continue;
    const Answer answer = load(program);
    for (const char* words : {"reserved fields", "unknown opcode", "bpf_ld_imm64 insn", "invalid atomic opcode"})
      EXPECT_EQ(answer.log.find(words), std::string::npos)
          << std::hex << +slots[0].code << " dst " << +slots[0].dst << " src " << +slots[0].src << " off " << slots[0].off
          << " imm " << slots[0].imm << "\n" << answer.log;
  }
}

}  // namespace
}  // namespace ring3::isa
