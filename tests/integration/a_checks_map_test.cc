// behaviour.md A.3 and A.4 through commands: creation, states, updates.
#include <gtest/gtest.h>

#include "object/rcu.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

TEST_F(StructOps, A_02_CreationAttributes) {
  const auto refused = [&](auto change) {
    uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", uapi::BPF_F_LINK);
    change(attr);
    return bpf().create(attr);
  };
  EXPECT_EQ(refused([](uapi::bpf_attr& a) { a.key_size = 8; }), -EINVAL);
  EXPECT_EQ(refused([](uapi::bpf_attr& a) { a.max_entries = 2; }), -EINVAL);
  EXPECT_EQ(refused([](uapi::bpf_attr& a) { a.map_flags |= 1u << 28; }), -EINVAL);
  EXPECT_EQ(refused([](uapi::bpf_attr& a) { a.btf_vmlinux_value_type_id = 0; }), -EINVAL);
  EXPECT_EQ(refused([](uapi::bpf_attr& a) { a.btf_value_type_id = 1; }), -EINVAL);
  EXPECT_GT(refused([](uapi::bpf_attr&) {}), 0);
}

TEST_F(StructOps, A_03_WrapperOfAnUnregisteredType) {
  EXPECT_EQ(bpf().ops_map("idle_ops", uapi::BPF_F_LINK), kENotSupp);
  uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", 0);
  attr.btf_vmlinux_value_type_id = host_btf_->find("calc_ops", btf::Kind::kStruct);
  EXPECT_EQ(bpf().create(attr), kENotSupp);
}

TEST_F(StructOps, A_04_ValueSize) {
  for (const int off : {-8, 8}) {
    uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", 0);
    attr.value_size = static_cast<std::uint32_t>(static_cast<int>(attr.value_size) + off);
    EXPECT_EQ(bpf().create(attr), -EINVAL) << off;
  }
}

TEST_F(StructOps, A_05_UserBtfDescriptor) {
  uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", 0);
  attr.btf_fd = static_cast<std::uint32_t>(bpf().fd_by_id(uapi::BPF_BTF_GET_FD_BY_ID, 1));
  EXPECT_EQ(bpf().create(attr), -EACCES);
  attr.btf_fd = static_cast<std::uint32_t>(-1);
  EXPECT_EQ(bpf().create(attr), -EBADF);
}

TEST_F(StructOps, A_07_LookupOnAFreshMap) { expect_zero(bpf().ops_map("calc_ops", 0)); }

TEST_F(StructOps, A_08_UpdateArguments) {
  const long map = bpf().ops_map("calc_ops", uapi::BPF_F_LINK);
  const CalcValue good = both();
  EXPECT_EQ(bpf().update(map, &good, 1), -E2BIG);
  EXPECT_EQ(bpf().update(map, &good, 0, 1), -EINVAL);
  CalcValue v = good;
  v.padding[0] = 1;
  EXPECT_EQ(bpf().update(map, &v), -EINVAL);
  v = good;
  v.state = 1;
  EXPECT_EQ(bpf().update(map, &v), -EINVAL);
  v = good;
  v.count = 1;
  EXPECT_EQ(bpf().update(map, &v), -EINVAL);
  EXPECT_EQ(bpf().update(map, &good), 0);
}

TEST_F(StructOps, A_09_ForeignDescriptors) {
  const long map = bpf().ops_map("calc_ops", uapi::BPF_F_LINK);
  const auto with_add = [&](long fd) {
    CalcValue v;
    v.add = static_cast<std::uint64_t>(fd);
    return bpf().update(map, &v);
  };
  const long filter = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  ASSERT_GT(filter, 0) << bpf().log();
  EXPECT_EQ(with_add(filter), -EINVAL);
  EXPECT_EQ(with_add(bpf().load({.text = kAddText, .type = "other_ops"})), -EINVAL);
  EXPECT_EQ(with_add(bpf().load({.text = kSubText, .member = kSub})), -EINVAL);
  EXPECT_EQ(with_add(map), -EINVAL);
  const long closed = bpf().load({.text = kAddText});
  bpf().close(closed);
  EXPECT_EQ(with_add(closed), -EBADF);
  expect_zero(map);
}

TEST_F(StructOps, A_10_RefusedMembersLeaveTheMapFresh) {
  const long map = bpf().ops_map("calc_ops", uapi::BPF_F_LINK);
  CalcValue v = both();
  v.scale = 101;
  EXPECT_EQ(bpf().update(map, &v), -EINVAL);
  EXPECT_NE(log_.take().find("scale is above 100"), std::string::npos);
  v.scale = 5;
  v.reserved = 1;
  EXPECT_EQ(bpf().update(map, &v), -EINVAL);
  EXPECT_NE(log_.take().find("reserved"), std::string::npos);
  expect_zero(map);
  v.reserved = 0;
  EXPECT_EQ(bpf().update(map, &v), 0);
}

TEST_F(StructOps, A_11_ClassicUpdate) {
  const long map = bpf().ops_map("calc_ops", 0);
  const CalcValue v = both();
  EXPECT_EQ(bpf().update(map, &v), 0);
  CalcValue seen;
  EXPECT_EQ(bpf().lookup(map, &seen), 0);
  EXPECT_EQ(seen.state, 1u);
  EXPECT_EQ(seen.add, bpf().prog_info(static_cast<long>(v.add)).id);
  EXPECT_EQ(seen.sub, bpf().prog_info(static_cast<long>(v.sub)).id);
  EXPECT_EQ(bpf().update(map, &v), -EBUSY);
  EXPECT_EQ(calc_.registered, 1);
}

TEST_F(StructOps, A_12_ClassicDelete) {
  const long map = bpf().ops_map("calc_ops", 0);
  EXPECT_EQ(bpf().erase(map), -ENOENT);
  const CalcValue v = both();
  ASSERT_EQ(bpf().update(map, &v), 0);
  EXPECT_EQ(bpf().erase(map), 0);
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_EQ(bpf().erase(map), -EINPROGRESS);
}

TEST_F(StructOps, A_13_LinkFlavour) {
  const CalcValue v = both();
  const long map = ready_map(v);
  CalcValue seen;
  EXPECT_EQ(bpf().lookup(map, &seen), 0);
  EXPECT_EQ(seen.state, 3u);
  EXPECT_EQ(bpf().erase(map), -EOPNOTSUPP);
  EXPECT_EQ(calc_.registered, 0);
  const uapi::bpf_map_info info = bpf().map_info(map);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_MAP_TYPE_STRUCT_OPS));
  EXPECT_EQ(info.btf_vmlinux_value_type_id, host_btf_->find("bpf_struct_ops_calc_ops", btf::Kind::kStruct));
}

TEST_F(StructOps, A_28_TheMapIsGoodForNothingElse) {
  const long map = ready_map();
  EXPECT_EQ(bpf().load({.text = "r1 = map[name:m0]\nr0 = 0\nexit", .map_fds = {static_cast<std::int32_t>(map)}}), -EINVAL);
  EXPECT_NE(bpf().log().find("cannot be used"), std::string::npos) << bpf().log();
  uapi::bpf_attr outer = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1);
  outer.inner_map_fd = static_cast<std::uint32_t>(map);
  EXPECT_LT(bpf().create(outer), 0);
  EXPECT_EQ(bpf().freeze(map), kENotSupp);
}

TEST_F(StructOps, A_32_ValidateRefuses) {
  calc_.validate_answer = Errno::kNoData;
  const long map = bpf().ops_map("calc_ops", 0);
  const CalcValue v = both();
  EXPECT_EQ(bpf().update(map, &v), -ENODATA);
  EXPECT_NE(log_.take().find("validate says no"), std::string::npos);
  EXPECT_EQ(calc_.registered, 0);
  expect_zero(map);
  calc_.validate_answer = Errno{};
  EXPECT_EQ(bpf().update(map, &v), 0);
}

TEST_F(StructOps, A_33_RegRefusesADuplicate) {
  const CalcValue v = both();
  const long first = bpf().ops_map("calc_ops", 0);
  ASSERT_EQ(bpf().update(first, &v), 0);
  const long second = bpf().ops_map("calc_ops", 0);
  EXPECT_EQ(bpf().update(second, &v), -EEXIST);
  expect_zero(second);
  EXPECT_EQ(bpf().link(ready_map(v)), -EEXIST);
  EXPECT_EQ(bpf().erase(first), 0);
  EXPECT_EQ(bpf().update(second, &v), 0);
}

TEST_F(StructOps, A_34_CountOfTheHostsUsers) {
  const long map = bpf().ops_map("calc_ops", 0);
  const CalcValue v = both();
  ASSERT_EQ(bpf().update(map, &v), 0);
  StructOpsInstance* instance = calc_.instance;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(instance->hold());
  CalcValue seen;
  ASSERT_EQ(bpf().lookup(map, &seen), 0);
  EXPECT_EQ(seen.count, 3u);
  const calc_ops* table = calc_.table;
  EXPECT_EQ(bpf().erase(map), 0);
  const std::uint32_t id = bpf().map_info(map).id;
  bpf().close_all();
  rcu::drain();
  {
    ReadSection readers;
    EXPECT_EQ(table->add(2, 3), 5);
  }
  for (int i = 0; i < 3; ++i) instance->release();
  rcu::drain();
  EXPECT_EQ(bpf().fd_by_id(uapi::BPF_MAP_GET_FD_BY_ID, id), -ENOENT);
}

}  // namespace
}  // namespace ring3::test
