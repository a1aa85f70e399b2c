// behaviour.md A.2: loading programs for members.
#include <gtest/gtest.h>

#include "tests/integration/world.h"

namespace ring3::test {
namespace {

TEST_F(StructOps, A_21_LoadAttributes) {
  EXPECT_EQ(bpf().load({.text = kAddText, .member = kName + 1}), -EINVAL);
  EXPECT_TRUE(logged("attach to invalid member idx 9 of struct calc_ops")) << bpf().log();
  EXPECT_EQ(bpf().load({.text = kAddText, .member = kScale}), -EINVAL);
  EXPECT_TRUE(logged("attach to invalid member scale(@idx 2) of struct calc_ops")) << bpf().log();
  EXPECT_EQ(bpf().load({.text = kAddText, .attach_btf_id = 0xfffff}), kENotSupp);
  EXPECT_TRUE(logged("is not a supported struct")) << bpf().log();
  EXPECT_EQ(bpf().load({.text = kAddText, .type = "idle_ops"}), kENotSupp);
  EXPECT_EQ(bpf().load({.text = kAddText, .type = "bpf_struct_ops_calc_ops"}), kENotSupp);
  EXPECT_EQ(bpf().load({.text = kAddText, .license = "proprietary"}), -EINVAL);
  EXPECT_TRUE(logged("struct ops programs must have a GPL compatible license")) << bpf().log();
  EXPECT_GT(bpf().load({.text = kAddText, .license = "Dual BSD/GPL"}), 0) << bpf().log();
}

TEST_F(StructOps, A_22_MemberWithoutStub) {
  EXPECT_EQ(bpf().load({.text = "r0 = 0\nexit", .member = kMissing}), kENotSupp);
  EXPECT_TRUE(logged("attach to unsupported member missing of struct calc_ops")) << bpf().log();
  calc_.veto_member = kAdd;
  calc_.veto = Errno::kNoDev;
  EXPECT_EQ(bpf().load({.text = kAddText}), -ENODEV);
  EXPECT_NE(log_.take().find("vetoed by the test"), std::string::npos);
}

TEST_F(StructOps, A_23_SleepablePrograms) {
  EXPECT_EQ(bpf().load({.text = kAddText, .flags = uapi::BPF_F_SLEEPABLE}), -EINVAL);
  EXPECT_TRUE(logged("add")) << bpf().log();
  EXPECT_GT(bpf().load({.text = "r0 = 0\nexit", .member = kNap, .flags = uapi::BPF_F_SLEEPABLE}), 0) << bpf().log();
}

TEST_F(StructOps, A_24_NullableArgument) {
  EXPECT_LT(bpf().load({.text = "r1 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r1 +8)\nexit", .member = kMaybe}), 0);
  const long program = bpf().load({.text = "r1 = *(u64 *)(r1 +0)\n"
                                           "r0 = 77\n"
                                           "if r1 == 0 goto out\n"
                                           "r0 = *(u32 *)(r1 +8)\n"
                                           "out:\n"
                                           "exit",
                                   .member = kMaybe});
  ASSERT_GT(program, 0) << bpf().log();
  CalcValue v;
  v.maybe = static_cast<std::uint64_t>(program);
  const long map = bpf().ops_map("calc_ops", 0);
  ASSERT_EQ(bpf().update(map, &v), 0);
  thing t{.id = 1, .color = 5, .note = 0};
  ReadSection readers;
  EXPECT_EQ(calc_.table.load()->maybe(&t), 5u);
  EXPECT_EQ(calc_.table.load()->maybe(nullptr), 77u);
}

TEST_F(StructOps, A_27_ContextAccess) {
  EXPECT_LT(bpf().load({.text = "r0 = *(u64 *)(r1 +16)\nexit"}), 0);
  EXPECT_LT(bpf().load({.text = "r0 = *(u64 *)(r1 +4)\nexit"}), 0);
  EXPECT_LT(bpf().load({.text = "r0 = *(u64 *)(r1 -8)\nexit"}), 0);
  EXPECT_LT(bpf().load({.text = "r0 = 0\n*(u64 *)(r1 +0) = r0\nexit"}), 0);
  EXPECT_GT(bpf().load({.text = "r0 = *(u64 *)(r1 +8)\nexit"}), 0) << bpf().log();
}

TEST_F(StructOps, A_38_TestRunOfAMember) {
  const long program = bpf().load({.text = kAddText});
  uapi::bpf_attr attr = BpfClient::zero();
  attr.test.prog_fd = static_cast<std::uint32_t>(program);
  EXPECT_EQ(bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr), -EOPNOTSUPP);
}

TEST_F(StructOps, WritesOnlyWhereTheTypeSaysSo) {
  const auto store = [&](const char* text) { return bpf().load({.text = text, .member = kPaint}); };
  EXPECT_LT(store("r2 = *(u64 *)(r1 +0)\nr3 = *(u64 *)(r1 +8)\n*(u32 *)(r2 +8) = r3\nexit"), 0);
  const long program = store("r2 = *(u64 *)(r1 +0)\nr3 = *(u64 *)(r1 +8)\n*(u32 *)(r2 +12) = r3\nr0 = 0\nexit");
  ASSERT_GT(program, 0) << bpf().log();
  CalcValue v;
  v.paint = static_cast<std::uint64_t>(program);
  const long map = bpf().ops_map("calc_ops", 0);
  ASSERT_EQ(bpf().update(map, &v), 0);
  thing t{};
  ReadSection readers;
  calc_.table.load()->paint(&t, 9);
  EXPECT_EQ(t.note, 9u);
}

TEST_F(StructOps, KfuncsAcquireAndRelease) {
  HostFunctions::gets = HostFunctions::puts = 0;
  EXPECT_LT(bpf().load({.text = "r1 = 1\ncall thing_get\nr0 = 0\nexit"}), 0);
  EXPECT_TRUE(logged("Unreleased reference")) << bpf().log();
  const long program = bpf().load({.text = "r1 = *(u64 *)(r1 +0)\n"
                                           "call thing_get\n"
                                           "if r0 == 0 goto none\n"
                                           "r6 = r0\n"
                                           "r1 = r0\n"
                                           "call thing_color\n"
                                           "r7 = r0\n"
                                           "r1 = r6\n"
                                           "call thing_put\n"
                                           "r0 = r7\n"
                                           "exit\n"
                                           "none:\n"
                                           "r0 = -1\n"
                                           "exit"});
  ASSERT_GT(program, 0) << bpf().log();
  CalcValue v;
  v.add = static_cast<std::uint64_t>(program);
  const long map = bpf().ops_map("calc_ops", 0);
  ASSERT_EQ(bpf().update(map, &v), 0);
  EXPECT_EQ(call_add(2, 0), 20);
  EXPECT_EQ(call_add(9, 0), -1);
  EXPECT_EQ(HostFunctions::gets, 1);
  EXPECT_EQ(HostFunctions::puts, 1);
}

}  // namespace
}  // namespace ring3::test
