// Checks of area A where ownership and types of other BTF meet struct_ops.
#include <gtest/gtest.h>

#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

/// The last part of A-25: the reference goes into a map, and is given back when the element goes.
TEST_F(StructOps, A_25_OwnedArgumentIsStoredInAMap) {
  ValueTypes types;
  const btf::TypeId thing_type = types.b.add_struct("thing", 16, {{"id", types.u64, 0}, {"color", types.u32, 64}, {"note", types.u32, 96}});
  const btf::TypeId value_type = types.b.add_struct("value", 16, {{"number", types.u64, 0}, {"held", types.kptr(thing_type), 64}});
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 16, 4, {bpf().load_btf(types.b.finish()), types.u32, value_type});
  const long map = bpf().create(attr);
  ASSERT_GT(map, 0) << log_.take();
  const long program = bpf().load({.text = "r6 = *(u64 *)(r1 +0)\n"
                                           "r2 = 0\n"
                                           "*(u32 *)(r10 -4) = r2\n"
                                           "r1 = map[name:m0]\n"
                                           "r2 = r10\n"
                                           "r2 += -4\n"
                                           "call bpf_map_lookup_elem\n"
                                           "if r0 == 0 goto drop\n"
                                           "r1 = r0\n"
                                           "r1 += 8\n"
                                           "r2 = r6\n"
                                           "call bpf_kptr_xchg\n"
                                           "if r0 == 0 goto stored\n"
                                           "r1 = r0\n"
                                           "call thing_put\n"
                                           "stored:\n"
                                           "r0 = 1\n"
                                           "exit\n"
                                           "drop:\n"
                                           "r1 = r6\n"
                                           "call thing_put\n"
                                           "r0 = 0\n"
                                           "exit",
                                   .member = kTake,
                                   .type = "owner_ops",
                                   .map_fds = {static_cast<std::int32_t>(map)}});
  ASSERT_GT(program, 0) << bpf().log();
  struct alignas(64) {
    std::uint64_t header[8] = {}, take = 0, make = 0, pass = 0, tail[5] = {};
  } value;
  value.take = static_cast<std::uint64_t>(program);
  ASSERT_EQ(bpf().update(bpf().ops_map("owner_ops", 0), &value), 0) << log_.take();
  HostFunctions::puts = 0;
  thing first{.id = 1, .color = 0, .note = 0}, second{.id = 2, .color = 0, .note = 0};
  const auto take = [&](thing& t) {
    ReadSection readers;
    return owner_.table.load()->take(&t);
  };
  EXPECT_EQ(take(first), 0u) << "no element yet: given back at once";
  EXPECT_EQ(HostFunctions::puts, 1);
  const std::uint64_t empty[2] = {};
  ASSERT_EQ(bpf().update(map, empty), 0);
  EXPECT_EQ(take(first), 1u);
  EXPECT_EQ(HostFunctions::puts, 1) << "the map has it";
  EXPECT_EQ(take(second), 1u);
  EXPECT_EQ(HostFunctions::puts, 2) << "the one before came out";
  EXPECT_EQ(bpf().erase(map), 0);
  wait_for_readers();
  EXPECT_EQ(HostFunctions::puts, 3);
}

/// A host's types are all in one BTF, so nothing else is a module's: only the refusals of A-06 have something to refuse.
TEST_F(StructOps, A_06_TypesOfOtherBtf) {
  const auto create = [&](long btf) {
    uapi::bpf_attr attr = bpf().ops_map_attr("calc_ops", uapi::BPF_F_VTYPE_BTF_OBJ_FD);
    attr.value_type_btf_obj_fd = static_cast<std::int32_t>(btf);
    return bpf().create(attr);
  };
  EXPECT_EQ(create(-1), -EBADF);
  EXPECT_EQ(create(bpf().ops_map("calc_ops", 0)), -EINVAL) << "no BTF";
  log_.take();
  EXPECT_EQ(create(bpf().fd_by_id(uapi::BPF_BTF_GET_FD_BY_ID, 1)), -EINVAL);
  EXPECT_NE(log_.take().find("names no module BTF"), std::string::npos);
  EXPECT_EQ(create(bpf().user_btf()), -EINVAL);
}

}  // namespace
}  // namespace ring3::test
