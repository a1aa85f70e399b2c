// Attributes made up by row: every command, its fields filled with numbers that mean something (descriptors that came back
// before, addresses of readable memory, sizes at borders) and numbers that do not. The seed is fixed, so a failure comes again;
// fuzz/attr_fuzz.cc goes on where this ends. Whatever is sent gets an answer, and at the end nothing is left (FakeKernel).
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <random>
#include <vector>

#include "syscall/bpf.h"
#include "syscall/command_table.h"
#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

using test::FakeKernel;

constexpr int kSequences = 80, kCallsEach = 64;
constexpr std::chrono::seconds kAtMost{4};

class RowFuzz {
 public:
  explicit RowFuzz(std::uint32_t seed) : random_(seed), memory_(1 << 14) {
    // A program and a licence where addresses often point to.
    const std::uint8_t program[] = {0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0};
    std::memcpy(memory_.data(), program, sizeof program);
    std::memcpy(memory_.data() + 64, "GPL", 4);
    std::memcpy(memory_.data() + 128, "/sys/fs/bpf/a", 14);
  }

  void sequence() {
    FakeKernel kernel;
    for (int i = 0; i < kCallsEach; ++i) call(kernel);
    for (const int fd : fds_) ::close(fd);
    fds_.clear();
    kernel.kernel().pins().clear();
  }
  int answered() const { return answered_; }
  int succeeded() const { return succeeded_; }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(random_()) % n; }

  std::uint32_t word() {
    constexpr std::uint32_t kBorders[] = {0, 1, 2, 3, 4, 7, 8, 9, 16, 64, 128, 255, 256, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff};
    switch (below(8)) {
      case 0: return static_cast<std::uint32_t>(random_());
      case 1:
      case 2: return fds_.empty() ? 0 : static_cast<std::uint32_t>(fds_[below(static_cast<std::uint32_t>(fds_.size()))]);
      case 3: return kBorders[below(std::size(kBorders))];
      case 4: return below(40);
      default: return 0;
    }
  }
  std::uint64_t wide() {
    constexpr std::uint32_t kPlaces[] = {0, 64, 128, 1024};
    switch (below(4)) {
      case 0: return random_();
      case 1: return 0;
      default: return FakeKernel::address(memory_.data()) + kPlaces[below(std::size(kPlaces))];
    }
  }

  uapi::bpf_attr attribute(const Command& command) {
    uapi::bpf_attr attr = FakeKernel::attr();
    auto* bytes = reinterpret_cast<unsigned char*>(&attr);
    for (std::size_t at = 0; at < command.last.end();) {
      const bool takes_address = at % 8 == 0 && below(2) == 0;
      const std::uint64_t value = takes_address ? wide() : word();
      const std::size_t size = takes_address ? 8 : 4;
      std::memcpy(bytes + at, &value, std::min<std::size_t>(size, command.last.end() - at));
      at += size;
    }
    if (below(30) == 0) bytes[below(sizeof attr)] = 1;  // now and then behind the last field
    return attr;
  }

  void call(FakeKernel& kernel) {
    const Command& command = commands()[below(static_cast<std::uint32_t>(commands().size()))];
    uapi::bpf_attr attr = attribute(command);
    if (command.number == uapi::BPF_PROG_TEST_RUN) attr.test.repeat &= 3;  // as long as a client likes, otherwise
    if (command.number == uapi::BPF_MAP_CREATE && below(2) == 0) sensible_map(attr);
    if (command.number == uapi::BPF_PROG_LOAD && below(2) == 0) sensible_program(attr);
    const std::uint32_t size = below(4) == 0 ? below(sizeof attr + 1) : static_cast<std::uint32_t>(sizeof attr);
    kernel.rights = below(8) == 0 ? model::Rights{} : model::Rights::all();
    const long result = kernel.bpf(command.number, attr, size);
    ++answered_;
    ASSERT_GE(result, -4095) << command.name;
    if (result >= 0) ++succeeded_;
    if (result > 2) fds_.push_back(static_cast<int>(result));
  }
  void sensible_map(uapi::bpf_attr& attr) {
    attr = FakeKernel::attr();
    attr.map_type = below(34);
    attr.key_size = 4;
    attr.value_size = 8;
    attr.max_entries = below(4) == 0 ? 4096 : below(20);
    if (below(4) != 0) return;
    attr.excl_prog_hash = wide();
    attr.excl_prog_hash_size = below(4) == 0 ? word() : 32;
  }
  void sensible_program(uapi::bpf_attr& attr) {
    attr = FakeKernel::attr();
    attr.prog_type = below(34);
    attr.insns = FakeKernel::address(memory_.data());
    attr.insn_cnt = 2;
    attr.license = FakeKernel::address(memory_.data()) + 64;
    if (below(4) == 0) {
      attr.signature = wide();
      attr.signature_size = below(64);
      attr.keyring_id = static_cast<std::int32_t>(below(4));
    }
    if (below(4) == 0) {
      attr.fd_array = wide();
      attr.fd_array_cnt = below(4);
    }
  }

  std::mt19937_64 random_;
  std::vector<std::byte> memory_;
  std::vector<int> fds_;
  int answered_ = 0, succeeded_ = 0;
};

TEST(RowFuzzTest, WhateverIsSentIsAnswered) {
  RowFuzz fuzz(20'260'612);
  const auto end = std::chrono::steady_clock::now() + kAtMost;
  for (int i = 0; i < kSequences && std::chrono::steady_clock::now() < end; ++i) fuzz.sequence();
  EXPECT_GT(fuzz.answered(), kCallsEach);
  EXPECT_GT(fuzz.succeeded(), fuzz.answered() / 50) << "the numbers mean something";
  RecordProperty("answered", fuzz.answered());
  RecordProperty("succeeded", fuzz.succeeded());
}

}  // namespace
}  // namespace ring3::syscall
