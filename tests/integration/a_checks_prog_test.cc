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

TEST_F(StructOps, A_25_OwnedArgumentIsReleasedExactlyOnce) {
  const auto take = [&](std::string_view text) {
    return bpf().load({.text = text, .member = kTake, .type = "owner_ops"});
  };
  EXPECT_EQ(take("r0 = 0\nexit"), -EINVAL);
  EXPECT_TRUE(logged("Unreleased reference")) << bpf().log();
  EXPECT_EQ(take("r1 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r1 +8)\nexit"), -EINVAL);
  EXPECT_EQ(take("r6 = r1\n"
                 "r1 = *(u64 *)(r6 +0)\n"
                 "call thing_put\n"
                 "r1 = *(u64 *)(r6 +0)\n"
                 "call thing_put\n"
                 "r0 = 0\n"
                 "exit"),
            -EACCES);
  EXPECT_TRUE(logged("Reference may already be released")) << bpf().log();
  // On one of two paths only: what the paths have in common must not hide it.
  EXPECT_LT(take("r6 = *(u64 *)(r1 +0)\n"
                 "r2 = *(u64 *)(r6 +0)\n"
                 "if r2 == 0 goto out\n"
                 "r1 = r6\n"
                 "call thing_put\n"
                 "out:\n"
                 "r0 = 0\n"
                 "exit"),
            0);
  // One path releases the argument and owns another object instead; loading the slot again is wrong on that path alone.
  EXPECT_LT(take("r6 = r1\n"
                 "call bpf_get_prandom_u32\n"
                 "if r0 == 0 goto join\n"
                 "r1 = *(u64 *)(r6 +0)\n"
                 "call thing_put\n"
                 "r1 = 1\n"
                 "call thing_get\n"
                 "if r0 != 0 goto join\n"
                 "exit\n"
                 "join:\n"
                 "r0 = 0\n"
                 "r1 = *(u64 *)(r6 +0)\n"
                 "call thing_put\n"
                 "r0 = 0\n"
                 "exit"),
            0);
  uapi::bpf_attr array = BpfClient::map_attr(uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4);
  const auto map = static_cast<std::int32_t>(bpf().create(array));
  EXPECT_EQ(bpf().load({.text = "r6 = r1\n"
                                "r1 = *(u64 *)(r6 +0)\n"
                                "call thing_put\n"
                                "r1 = r6\n"
                                "r2 = map[name:m0]\n"
                                "r3 = 0\n"
                                "call bpf_tail_call\n"
                                "r0 = 0\n"
                                "exit",
                        .member = kTake,
                        .type = "owner_ops",
                        .map_fds = {map}}),
            -EINVAL);
  EXPECT_TRUE(logged("program with __ref argument cannot tail call")) << bpf().log();

  const long program = take("r6 = *(u64 *)(r1 +0)\n"
                            "r7 = *(u32 *)(r6 +8)\n"
                            "r1 = r6\n"
                            "call thing_put\n"
                            "r0 = r7\n"
                            "exit");
  ASSERT_GT(program, 0) << bpf().log();
  struct alignas(64) {
    std::uint64_t header[8] = {}, take = 0, make = 0, pass = 0, tail[5] = {};
  } value;
  value.take = static_cast<std::uint64_t>(program);
  const long link = bpf().ops_map("owner_ops", 0);
  ASSERT_EQ(bpf().update(link, &value), 0) << log_.take();
  HostFunctions::puts = 0;
  thing given{.id = 1, .color = 12, .note = 0};
  ReadSection readers;
  EXPECT_EQ(owner_.table.load()->take(&given), 12u);
  EXPECT_EQ(HostFunctions::puts, 1);
}

TEST_F(StructOps, A_26_ReturnedPointer) {
  const auto make = [&](std::string_view text, std::uint32_t member = kMake) {
    return bpf().load({.text = text, .member = member, .type = "owner_ops"});
  };
  EXPECT_GT(make("r0 = 0\nexit"), 0) << bpf().log();
  EXPECT_LT(make("r0 = 1\nexit"), 0);
  EXPECT_LT(make("r0 = *(u64 *)(r1 +0)\nexit"), 0) << "any number";
  EXPECT_LT(make("r0 = *(u64 *)(r1 +0)\nexit", kPass), 0) << "a trusted argument is not the program's to give";
  EXPECT_LT(make("call box_get\nexit"), 0) << "another type";
  EXPECT_LT(make("r1 = 1\ncall thing_get\nif r0 == 0 goto out\nr0 += 8\nout:\nexit"), 0) << "into its middle";
  EXPECT_LT(make("r1 = 1\ncall thing_get\nr6 = r0\nr1 = 2\ncall thing_get\nexit"), 0) << "one of two";
  const long program = make("r1 = *(u64 *)(r1 +0)\ncall thing_get\nexit");
  ASSERT_GT(program, 0) << bpf().log();
  struct alignas(64) {
    std::uint64_t header[8] = {}, take = 0, make = 0, pass = 0, tail[5] = {};
  } value;
  value.make = static_cast<std::uint64_t>(program);
  ASSERT_EQ(bpf().update(bpf().ops_map("owner_ops", 0), &value), 0) << log_.take();
  ReadSection readers;
  EXPECT_EQ(owner_.table.load()->make(2), &HostFunctions::things[1]);
  EXPECT_EQ(owner_.table.load()->make(99), nullptr);
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

TEST_F(StructOps, A_39_AssociationIsNewerThanTheContract) {
  uapi::bpf_attr attr = BpfClient::zero();
  log_.take();
  EXPECT_EQ(bpf().bpf(38, attr), -EINVAL);
  EXPECT_NE(log_.take().find("PROG_ASSOC_STRUCT_OPS is newer than Linux 6.12"), std::string::npos);
  EXPECT_EQ(bpf().bpf(1000, attr), -EINVAL);
  EXPECT_NE(log_.take().find("bpf(2) has no command 1000"), std::string::npos);
}

}  // namespace
}  // namespace ring3::test
