// What ends a function early: legacy packet loads, outside the packet with 0, and tail calls, with any number. The caller goes on.
#include <gtest/gtest.h>

#include <string>

#include "btf/builder.h"
#include "uapi/bpf.h"
#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

constexpr const char* kLoad = "r6 = r1\nr0 = *(u8 *)skb[0]\nr0 = 1\nexit\n";

constexpr const char* kTailCall = "r2 = map[fd:0]\nr3 = 0\ncall bpf_tail_call\nr0 = 1\nexit\n";

/// main calls one static function; returns_number: what its BTF says.
std::string judge(const std::string& main, bool returns_number = true, const std::string& sub = kLoad,
                  std::uint32_t prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER) {
  btf::Builder b;
  const btf::TypeId number = b.add_int("int", 4, 1);
  const btf::TypeId ctx = b.add_ptr(0);
  const btf::TypeId main_func = b.add_func("main", b.add_proto(number, {{"ctx", ctx}}), btf::Linkage::kGlobal);
  const btf::TypeId sub_func = b.add_func("sub", b.add_proto(returns_number ? number : 0, {{"ctx", ctx}}), btf::Linkage::kStatic);
  testing::TestProgram program(main, nullptr, "sub:\n" + sub);
  const FuncInfo info[] = {{0, main_func}, {static_cast<std::uint32_t>(program.main_slots), sub_func}};
  model::MapFacts programs;
  programs.id = 1;
  programs.type = uapi::BPF_MAP_TYPE_PROG_ARRAY;
  programs.key_size = programs.value_size = 4;
  programs.max_entries = 1;
  program.input.maps = std::span(&programs, 1);
  program.input.prog_type = prog_type;
  program.input.btf = testing::parsed(b);
  program.input.func_info = info;
  return program.judge();
}

TEST(EarlyEndTest, TheCallerSeesBothEnds) {
  EXPECT_EQ(judge("call sub\nr0 = 0\nexit\n"), "accepted");
  const std::string said = judge("call sub\nif r0 != 0 goto out\nr0 = r9\nout:\nr0 = 0\nexit\n");
  EXPECT_NE(said.find("R9 !read_ok"), std::string::npos) << said;
}

TEST(EarlyEndTest, TheEarlyEndIsPrecise) {
  // r0 is 0 or 1 in the caller: both are in bounds, and 9 would not be.
  EXPECT_EQ(judge("*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0\ncall sub\nr0 <<= 3\nr1 = r10\nr1 += -16\nr1 += r0\nr0 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n"),
            "accepted");
  const std::string beyond = judge("*(u64 *)(r10 - 8) = 0\ncall sub\nr0 <<= 3\nr1 = r10\nr1 += -8\nr1 += r0\nr0 = *(u64 *)(r1 + 0)\nr0 = 0\nexit\n");
  EXPECT_NE(beyond, "accepted");
}

TEST(EarlyEndTest, TheFunctionReturnsANumber) {
  const std::string said = judge("call sub\nr0 = 0\nexit\n", false);
  EXPECT_NE(said.find("LD_ABS is only allowed in functions that return 'int'."), std::string::npos) << said;
}

/// Another program's result comes back, not the 1 behind the call.
TEST(EarlyEndTest, ATailCallReturnsAnyNumber) {
  EXPECT_EQ(judge("call sub\nr0 &= 1\nexit\n", true, kTailCall), "accepted");
  const std::string said = judge("*(u64 *)(r10 - 8) = 0\ncall sub\nr0 <<= 3\nr1 = r10\nr1 += -16\nr1 += r0\nr0 = *(u64 *)(r1 + 0)\nexit\n", true, kTailCall);
  EXPECT_NE(said.find("math between fp pointer and register with unbounded"), std::string::npos) << said;
  const std::string unread = judge("call sub\nif r0 == 1 goto out\nr0 = r9\nout:\nr0 = 0\nexit\n", true, kTailCall);
  EXPECT_NE(unread.find("R9 !read_ok"), std::string::npos) << unread;
}

TEST(EarlyEndTest, ATailCallMayHaveMovedThePacket) {
  const std::string bounds = "r6 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr2 = r6\nr2 += 8\nif r2 > r3 goto out\n";
  const std::string rest = "r0 = *(u8 *)(r6 + 0)\nout:\nr0 = 2\nexit\n";
  EXPECT_EQ(judge(bounds + "call sub\n" + rest, true, "r0 = 0\nexit\n", uapi::BPF_PROG_TYPE_XDP), "accepted");
  const std::string said = judge(bounds + "call sub\n" + rest, true, kTailCall, uapi::BPF_PROG_TYPE_XDP);
  EXPECT_NE(said.find("R6 invalid mem access 'scalar'"), std::string::npos) << said;
}

}  // namespace
}  // namespace ring3::verifier
