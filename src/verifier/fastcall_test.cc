// Spills around fast calls, through verify(): which stack is counted, and when something else keeps it.
#include <gtest/gtest.h>

#include <string>

#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

class FastcallTest : public ::testing::Test {
 protected:
  /// Counted stack of main; -1: refused.
  int counted(const std::string& text) {
    testing::TestProgram program(text);
    program.input.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    const std::string said = program.judge({}, &out_);
    EXPECT_EQ(said, "accepted");
    if (said != "accepted") return -1;
    return static_cast<int>(out_.subprogs[0].counted_stack_bytes);
  }
  VerifiedProgram out_;
};

constexpr const char* kCall =
    "r1 = 1\n*(u64 *)(r10 - 16) = r1\ncall bpf_get_smp_processor_id\nr1 = *(u64 *)(r10 - 16)\n";

TEST_F(FastcallTest, PatternsAreNotCounted) {
  EXPECT_EQ(counted(std::string(kCall) + "r0 = 0\nexit\n"), 8);
  EXPECT_EQ(out_.insns[2].fastcall_pairs, 1);
  EXPECT_EQ(out_.subprogs[0].stack_bytes, 16u) << "it runs with its spills";
}

TEST_F(FastcallTest, WhoeverElseTouchesThePlacesKeepsThem) {
  EXPECT_EQ(counted(std::string(kCall) + "r2 = r10\nr2 += -16\nr0 = *(u64 *)(r2 + 0)\nr0 = 0\nexit\n"), 16);
  EXPECT_EQ(out_.insns[2].fastcall_pairs, 0);
  EXPECT_EQ(counted(std::string(kCall) + "*(u64 *)(r10 - 8) = 0\nr0 = 0\nexit\n"), 8) << "above them";
}

TEST_F(FastcallTest, CallsThatStayCallsKeepTheirStack) {
  EXPECT_EQ(counted("r1 = 1\n*(u64 *)(r10 - 16) = r1\ncall bpf_get_prandom_u32\nr1 = *(u64 *)(r10 - 16)\nr0 = 0\nexit\n"), 16);
}

TEST_F(FastcallTest, OnlyMirroredPairsOfKeptRegistersCount) {
  EXPECT_EQ(counted("r6 = 1\n*(u64 *)(r10 - 16) = r6\ncall bpf_get_smp_processor_id\nr6 = *(u64 *)(r10 - 16)\nr0 = 0\nexit\n"), 16);
  EXPECT_EQ(counted("r1 = 1\n*(u64 *)(r10 - 16) = r1\ncall bpf_get_smp_processor_id\nr2 = *(u64 *)(r10 - 16)\nr0 = 0\nexit\n"), 16);
  EXPECT_EQ(counted("r1 = 1\n*(u64 *)(r10 - 24) = r1\n*(u64 *)(r10 - 16) = r1\ncall bpf_get_smp_processor_id\n"
                    "r1 = *(u64 *)(r10 - 16)\nr0 = 0\nexit\n"), 24) << "not the lowest place";
}

}  // namespace
}  // namespace ring3::verifier
