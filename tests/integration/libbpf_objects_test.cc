// Programs compiled by clang that own things: what they leave is what the map gives back.
#include <gtest/gtest.h>

#include "maps/allocated_type.h"
#include "object/rcu.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class ObjectPrograms : public World {
 protected:
  ObjectPrograms() : before_(maps::AllocatedType::live_objects()) { HostFunctions::gets = HostFunctions::puts = 0; }

  /// What the program returned: 0, or the line of its source that went wrong.
  long run(ObjectFile& object, const char* program) { return bpf().run_on_packet(object.program(program)); }
  std::int64_t live() const { return maps::AllocatedType::live_objects() - before_; }

  LibbpfDoor door_{*runtime_, test_host_btf};
  const std::int64_t before_;
};

TEST_F(ObjectPrograms, ListsAndTreesKeepTheirOrder) {
  ObjectFile object(RING3_MODULE_DIR "/objects.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(run(object, "list_order"), 0);
    EXPECT_EQ(run(object, "tree_order"), 0);
  }
  EXPECT_EQ(live(), 0);
}

TEST_F(ObjectPrograms, C_34_WhatIsLeftGoesWithTheMap) {
  {
    ObjectFile object(RING3_MODULE_DIR "/objects.bpf.o");
    ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
    EXPECT_EQ(run(object, "leave_some"), 0);
    EXPECT_EQ(run(object, "leave_some"), 0);
    EXPECT_EQ(live(), 4);
  }
  (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);
  rcu::drain();
  EXPECT_EQ(live(), 0);
}

TEST_F(ObjectPrograms, C_16_ExchangedPointersComeBackOnce) {
  ObjectFile object(RING3_MODULE_DIR "/objects.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  const std::uint64_t zeros[2] = {};
  const int stash = object.map("stash");
  ASSERT_EQ(bpf().update(stash, zeros), 0);
  EXPECT_NE(run(object, "take_own"), 0) << "nothing is there";
  EXPECT_EQ(run(object, "stash_own"), 0);
  EXPECT_EQ(run(object, "stash_own"), 0);
  EXPECT_EQ(live(), 1);
  EXPECT_EQ(run(object, "take_own"), 0);
  EXPECT_EQ(live(), 0);
  EXPECT_EQ(run(object, "stash_hosts"), 0);
  EXPECT_EQ(run(object, "stash_hosts"), 0);
  EXPECT_EQ(HostFunctions::gets, 2);
  EXPECT_EQ(HostFunctions::puts, 1);
  EXPECT_EQ(run(object, "stash_own"), 0);
  EXPECT_EQ(bpf().erase(stash), 0);
  EXPECT_EQ(HostFunctions::puts, 2);
  EXPECT_EQ(live(), 0);
}

}  // namespace
}  // namespace ring3::test
