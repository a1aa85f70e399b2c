// Checks that say what libbpf does: real objects, compiled by clang, opened by the stock library.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

#define OBJECT(name) RING3_MODULE_DIR "/" name ".bpf.o"

class StructOpsLibbpf : public World {
 protected:
  LibbpfDoor door_{*runtime_, test_host_btf};
};

TEST_F(StructOpsLibbpf, A_01_RealObjectLoadAttachCall) {
  ObjectFile object(OBJECT("calc"));
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  const int link = object.attach("calc");
  ASSERT_GT(link, 0) << door_.take_text() << log_.take();
  EXPECT_EQ(call_add(40, 2), 42);
  EXPECT_EQ(call_sub(40, 42), -2);

  const uapi::bpf_link_info info = bpf().link_info(link);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_STRUCT_OPS));
  EXPECT_EQ(info.struct_ops.map_id, bpf().map_info(object.map("calc")).id);

  // What the members left behind: a map, and a global variable through the descriptor's memory.
  std::int64_t sum = 0;
  EXPECT_EQ(bpf().lookup(object.map("sums"), &sum, 1), 0);
  EXPECT_EQ(sum, -2);
  void* globals = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, object.bss(), 0);
  ASSERT_NE(globals, MAP_FAILED);
  EXPECT_EQ(*static_cast<const std::uint64_t*>(globals), 2u);
  ::munmap(globals, 4096);
  EXPECT_EQ(calc_.table.load()->scale, 7u);
  EXPECT_STREQ(calc_.table.load()->name, "calc");
  ::close(link);
  (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
  EXPECT_EQ(calc_.unregistered, 1);
}

TEST_F(StructOpsLibbpf, A_36_OneProgramInTheSameMemberOfTwoTables) {
  ObjectFile object(OBJECT("shared_prog"));
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  ASSERT_EQ(object.attach("first"), 0) << door_.take_text() << log_.take();
  EXPECT_EQ(call_add(3, 4), 14);
  EXPECT_EQ(object.attach("second"), -EEXIST);
  ASSERT_EQ(bpf().erase(object.map("first")), 0);
  ASSERT_EQ(object.attach("second"), 0) << door_.take_text() << log_.take();
  EXPECT_EQ(call_add(5, 4), 18);
  CalcValue first, second;
  EXPECT_EQ(bpf().lookup(object.map("first"), &first), 0);
  EXPECT_EQ(bpf().lookup(object.map("second"), &second), 0);
  EXPECT_EQ(first.add, second.add);
  EXPECT_EQ(second.add, bpf().prog_info(object.program("twice")).id);
  ASSERT_EQ(bpf().erase(object.map("second")), 0);
}

TEST_F(StructOpsLibbpf, A_36_OneProgramInTwoMembersIsRefusedByLibbpf) {
  ObjectFile object(OBJECT("two_members"));
  EXPECT_EQ(object.open_error(), -EINVAL);
}

TEST_F(StructOpsLibbpf, A_37_TableWithoutAutocreate) {
  ObjectFile object(OBJECT("optional"));
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  EXPECT_LT(object.map("spare_table"), 0);
  EXPECT_LT(object.program("spare"), 0);
  EXPECT_GT(object.program("poke"), 0);
}

TEST_F(StructOpsLibbpf, ProgramsCallTheHostAndReadItsStructs) {
  HostFunctions::gets = HostFunctions::puts = 0;
  ObjectFile object(OBJECT("kfuncs"));
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  const int link = object.attach("things");
  ASSERT_GT(link, 0) << door_.take_text() << log_.take();
  EXPECT_EQ(call_add(3, -1), 30);
  EXPECT_EQ(call_add(7, -1), -1);
  EXPECT_EQ(HostFunctions::gets, 1);
  EXPECT_EQ(HostFunctions::puts, 1);
  thing t{};
  {
    ReadSection readers;
    calc_.table.load()->paint(&t, 5);
  }
  EXPECT_EQ(t.note, 5u);
  ::close(link);
}

TEST_F(StructOpsLibbpf, AProgramThatNoTableNamesFailsTheLoad) {
  ObjectFile object(OBJECT("orphan"));
  // Newer libbpf refuses by itself with -EINVAL; 1.1 asks for a program without a type.
  EXPECT_EQ(object.load(), kENotSupp);
}

}  // namespace
}  // namespace ring3::test
