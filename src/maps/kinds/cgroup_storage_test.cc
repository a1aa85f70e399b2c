#include <gtest/gtest.h>

#include <cerrno>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

std::uint32_t& mine(Map& map) { return *static_cast<std::uint32_t*>(map.ops().data.lookup(map, nullptr)); }

TEST(CgroupStorageTest, RunsHaveOneValueThatClientsDoNotSee) {
  FakeHost host;
  auto map = make(host, spec(BPF_MAP_TYPE_CGROUP_STORAGE, 8, 4, 0)).value();
  EXPECT_EQ(mine(*map), 0u);
  mine(*map) = 5;
  EXPECT_EQ(mine(*map), 5u);
  std::uint32_t value = 0;
  EXPECT_EQ(lookup(*map, std::uint64_t{0}, value), ENOENT);
}

TEST(CgroupStorageTest, EachCpuHasItsOwn) {
  FakeHost host(2);
  auto map = make(host, spec(BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 8, 4, 0)).value();
  for (std::uint32_t cpu = 0; cpu < 2; ++cpu) {
    FakeHost::cpu() = cpu;
    EXPECT_EQ(mine(*map), 0u);
    mine(*map) = 10 + cpu;
  }
  FakeHost::cpu() = 0;
  EXPECT_EQ(mine(*map), 10u);
}

}  // namespace
}  // namespace ring3::maps
