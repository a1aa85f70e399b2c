// Which kinds of maps may say what their keys and values are. The answers are those of Linux 6.18 to the same calls.
#include <gtest/gtest.h>

#include "tests/integration/world.h"

namespace ring3::test {
namespace {

using namespace uapi;

struct Row {
  std::uint32_t type;
  long with_types = 0;  // 0: made
};

constexpr Row kRows[] = {
    {BPF_MAP_TYPE_HASH}, {BPF_MAP_TYPE_ARRAY}, {BPF_MAP_TYPE_PROG_ARRAY}, {BPF_MAP_TYPE_PERCPU_HASH}, {BPF_MAP_TYPE_PERCPU_ARRAY},
    {BPF_MAP_TYPE_LRU_HASH}, {BPF_MAP_TYPE_LRU_PERCPU_HASH}, {BPF_MAP_TYPE_REUSEPORT_SOCKARRAY},
    {BPF_MAP_TYPE_PERF_EVENT_ARRAY, kENotSupp}, {BPF_MAP_TYPE_CGROUP_ARRAY, kENotSupp}, {BPF_MAP_TYPE_DEVMAP, kENotSupp},
    {BPF_MAP_TYPE_DEVMAP_HASH, kENotSupp}, {BPF_MAP_TYPE_SOCKMAP, kENotSupp}, {BPF_MAP_TYPE_SOCKHASH, kENotSupp},
    {BPF_MAP_TYPE_CPUMAP, kENotSupp}, {BPF_MAP_TYPE_XSKMAP, kENotSupp},
};

class MapTypesTest : public World {};

TEST_F(MapTypesTest, KindsTakeTypesWhereLinuxDoes) {
  for (const Row& row : kRows) {
    uapi::bpf_attr attr = BpfClient::map_attr(row.type, 4, 4, 2);
    EXPECT_GT(bpf().create(attr), 0) << row.type;
    attr = BpfClient::map_attr(row.type, 4, 4, 2, {.btf = bpf().user_btf(), .key = 1, .value = 1});
    const long made = bpf().create(attr);
    EXPECT_EQ(made > 0 ? 0 : made, row.with_types) << row.type;
  }
}

}  // namespace
}  // namespace ring3::test
