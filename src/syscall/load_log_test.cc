// The verifier's log as clients get it (behaviour.md C.6.4): levels, the two kinds of buffer, what the text would have taken.
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

using test::FakeKernel;

constexpr std::uint32_t kInsns = 1, kStates = 2, kFigures = 4, kFixed = 8;

class LoadLog : public ::testing::Test {
 protected:
  struct Raw {
    std::uint8_t code, regs;
    std::int16_t off;
    std::int32_t imm;
  };
  /// r0 = 1; r0 += 1; exit; or without the first.
  long load(bool good, std::uint32_t level, std::uint32_t bytes) {
    static constexpr Raw kProgram[] = {{0xb7, 0, 0, 1}, {0x07, 0, 0, 1}, {0x95, 0, 0, 0}};
    buffer_.assign(bytes, '#');
    attr_ = FakeKernel::attr();
    attr_.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    attr_.insns = FakeKernel::address(good ? kProgram : kProgram + 1);
    attr_.insn_cnt = good ? 3 : 2;
    attr_.license = FakeKernel::address("GPL");
    attr_.log_level = level;
    attr_.log_buf = bytes == 0 ? 0 : FakeKernel::address(buffer_.data());
    attr_.log_size = bytes;
    const long result = k_.bpf(uapi::BPF_PROG_LOAD, attr_);
    if (result > 0) ::close(static_cast<int>(result));
    return result;
  }
  /// What the buffer holds.
  std::string text() const { return buffer_.empty() ? "" : std::string(buffer_.data()); }
  bool says(std::string_view words) const { return text().find(words) != std::string::npos; }

  FakeKernel k_;
  uapi::bpf_attr attr_{};
  std::vector<char> buffer_;
};

constexpr std::uint32_t kRoom = 4096;

TEST_F(LoadLog, EachLevelTellsItsPart) {
  EXPECT_GT(load(true, kInsns, kRoom), 0);
  EXPECT_TRUE(says("0: (b7) r0 = 1                        ; R0_w=1")) << text();
  EXPECT_TRUE(says("processed 3 insns")) << text();
  EXPECT_FALSE(says("func#0 @0"));
  EXPECT_FALSE(says("verification time"));
  EXPECT_GT(load(true, kStates, kRoom), 0);
  EXPECT_TRUE(says("func#0 @0")) << text();
  EXPECT_TRUE(says("1: (07) r0 += 1                       ; R0_w=2")) << text();
  EXPECT_GT(load(true, kFigures, kRoom), 0);
  EXPECT_TRUE(says("verification time")) << text();
  EXPECT_TRUE(says("stack depth 0")) << text();
  EXPECT_FALSE(says("r0 = 1"));
  EXPECT_EQ(load(true, 16, kRoom), -static_cast<long>(Errno::kInval)) << "no such level";
}

TEST_F(LoadLog, TheTrueSizeIsThatOfAllOfIt) {
  EXPECT_GT(load(true, kInsns, kRoom), 0);
  EXPECT_EQ(attr_.log_true_size, text().size() + 1);
  const std::uint32_t needed = attr_.log_true_size;
  EXPECT_GT(load(true, kInsns, 0), 0) << "a level without a buffer asks for the size";
  EXPECT_EQ(attr_.log_true_size, needed);
  EXPECT_GT(load(true, kInsns, needed), 0) << "just enough";
  EXPECT_EQ(text().size() + 1, needed);
}

TEST_F(LoadLog, ABufferTooSmallIsToldEvenOfAGoodProgram) {
  EXPECT_GT(load(true, kInsns, kRoom), 0);
  const std::string whole = text();
  const std::uint32_t needed = attr_.log_true_size, half = needed / 2;
  EXPECT_EQ(load(true, kInsns | kFixed, half), -static_cast<long>(Errno::kNoSpc));
  EXPECT_EQ(attr_.log_true_size, needed);
  EXPECT_EQ(text(), whole.substr(0, half - 1)) << "a fixed buffer keeps the head";
  EXPECT_EQ(load(true, kInsns, half), -static_cast<long>(Errno::kNoSpc));
  EXPECT_EQ(attr_.log_true_size, needed);
  EXPECT_EQ(text(), whole.substr(whole.size() - (half - 1))) << "a rolling one the tail";
}

TEST_F(LoadLog, ARefusalSaysWhyAtEveryLevelThatTells) {
  for (const std::uint32_t level : {kInsns, kStates, kInsns | kFigures, kStates | kFixed}) {
    EXPECT_EQ(load(false, level, kRoom), -static_cast<long>(Errno::kAcces));
    EXPECT_TRUE(says("R0 !read_ok")) << level << text();
  }
  EXPECT_EQ(load(false, 0, 0), -static_cast<long>(Errno::kAcces));
}

TEST_F(LoadLog, BufferLengthAndLevelComeTogether) {
  EXPECT_EQ(load(true, 0, kRoom), -static_cast<long>(Errno::kInval)) << "a buffer needs a level";
  EXPECT_GT(load(true, kInsns, kRoom), 0);
  attr_.log_size = 0;
  EXPECT_EQ(k_.bpf(uapi::BPF_PROG_LOAD, attr_), -static_cast<long>(Errno::kInval)) << "an address without a length";
  attr_.log_size = (UINT32_MAX >> 2) + 1;
  EXPECT_EQ(k_.bpf(uapi::BPF_PROG_LOAD, attr_), -static_cast<long>(Errno::kInval)) << "a quarter of all there is";
}

}  // namespace
}  // namespace ring3::syscall
