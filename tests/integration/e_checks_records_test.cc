// Records of a size the client chooses (behaviour.md E.4.1): what is known of them is told when there is more.
#include <gtest/gtest.h>

#include <array>

#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class Records : public World {
 protected:
  Records() : load_(client_->prepare({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS})) {
    load_.attr.prog_btf_fd = static_cast<std::uint32_t>(client_->user_btf());
  }
  long load() { return bpf().bpf(uapi::BPF_PROG_LOAD, load_.attr); }

  alignas(8) std::array<std::byte, 256> record_{};
  PreparedLoad load_;
};

TEST_F(Records, LargerOnesMustBeZeroBehindWhatIsKnown) {
  load_.attr.line_info = reinterpret_cast<std::uintptr_t>(record_.data());
  load_.attr.line_info_cnt = 1;
  load_.attr.line_info_rec_size = 20;
  record_[16] = std::byte{1};
  EXPECT_EQ(load(), -E2BIG);
  EXPECT_EQ(load_.attr.line_info_rec_size, 16u);
}

TEST_F(Records, OfFunctionsToo) {
  load_.attr.func_info = reinterpret_cast<std::uintptr_t>(record_.data());
  load_.attr.func_info_cnt = 1;
  load_.attr.func_info_rec_size = 12;
  record_[8] = std::byte{1};
  EXPECT_EQ(load(), -E2BIG);
  EXPECT_EQ(load_.attr.func_info_rec_size, 8u);
}

TEST_F(Records, SizesThatCannotBeAreRefusedAndStay) {
  load_.attr.func_info = reinterpret_cast<std::uintptr_t>(record_.data());
  load_.attr.func_info_cnt = 1;
  for (const std::uint32_t bytes : {4u, 10u, 256u}) {
    load_.attr.func_info_rec_size = bytes;
    EXPECT_EQ(load(), -EINVAL) << bytes;
    EXPECT_EQ(load_.attr.func_info_rec_size, bytes);
  }
}

}  // namespace
}  // namespace ring3::test
