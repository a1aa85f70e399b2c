// Maps of sockets, devices, CPUs' queues and control groups: attributes, errnos and order of checks. Every expectation
// was compared with Linux by the same calls, devices and sockets that exist aside.
#include <gtest/gtest.h>

#include <cerrno>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

/// Descriptor 3 is a socket, 1 another file, all else closed.
class SomeFds final : public FdSource {
 public:
  Result<Ref<Object>> object(std::int32_t fd, ObjectKind) override { return fd == 1 || fd == 3 ? Errno::kInval : Errno::kBadF; }
  Result<bool> is_socket(std::int32_t fd) override {
    if (fd != 1 && fd != 3) return Errno::kBadF;
    return fd == 3;
  }
};

/// Device 7 is the only one.
class DeviceHost final : public FakeHost {
 public:
  bool has_device(std::uint32_t ifindex) override { return ifindex == 7; }
};

template <typename K, typename V>
int put(Map& m, const K& key, const V& value, std::uint64_t flags = BPF_ANY) {
  SomeFds fds;
  return code(update_elem(m, bytes(key), bytes(value), flags, fds));
}

struct Row {
  std::uint32_t type, key, value, entries;
  std::uint32_t read_only;  // errno of BPF_F_RDONLY
  std::uint32_t read_only_prog;
};

TEST(TargetMapsTest, AttributesAreTheKernels) {
  DeviceHost host;
  const Row rows[] = {
      {BPF_MAP_TYPE_DEVMAP, 4, 4, 3, 0, EINVAL},       {BPF_MAP_TYPE_DEVMAP_HASH, 4, 8, 3, 0, EINVAL},
      {BPF_MAP_TYPE_SOCKMAP, 4, 8, 3, 0, EINVAL},      {BPF_MAP_TYPE_SOCKHASH, 4, 4, 3, 0, EINVAL},
      {BPF_MAP_TYPE_XSKMAP, 4, 4, 3, 0, EINVAL},       {BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8, 3, 0, 0},
      {BPF_MAP_TYPE_CPUMAP, 4, 8, 2, EINVAL, EINVAL},  {BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 3, 0, EINVAL},
      {BPF_MAP_TYPE_CGROUP_STORAGE, 16, 8, 0, 0, 0},   {BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 8, 8, 0, 0, 0},
  };
  for (const Row& row : rows) {
    const auto errno_of = [&](std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint32_t flags) {
      return create_errno(host, spec(row.type, key, value, entries, flags));
    };
    EXPECT_EQ(errno_of(row.key, row.value, row.entries, 0), 0) << row.type;
    EXPECT_EQ(errno_of(row.key, row.value, row.entries, BPF_F_NUMA_NODE), 0) << row.type;
    EXPECT_EQ(errno_of(row.key, row.value, row.entries == 0 ? 1 : 0, 0), EINVAL) << row.type;
    EXPECT_EQ(errno_of(row.key, row.value, row.entries, BPF_F_MMAPABLE), EINVAL) << row.type;
    EXPECT_EQ(errno_of(row.key, row.value, row.entries, BPF_F_RDONLY), static_cast<int>(row.read_only)) << row.type;
    EXPECT_EQ(errno_of(row.key, row.value, row.entries, BPF_F_RDONLY_PROG), static_cast<int>(row.read_only_prog)) << row.type;
    if (row.type != BPF_MAP_TYPE_SOCKHASH) {
      EXPECT_EQ(errno_of(3, row.value, row.entries, 0), EINVAL) << row.type;
    }
    if (row.entries != 0) {
      EXPECT_EQ(errno_of(row.key, 3, row.entries, 0), EINVAL) << row.type;
    }
  }
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_SOCKHASH, 513, 4, 1)), E2BIG);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_XSKMAP, 4, 8, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_CPUMAP, 4, 4, 8193)), E2BIG);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_CGROUP_STORAGE, 16, 0x10000, 0)), E2BIG);
}

TEST(TargetMapsTest, SocketsAreRefusedAsLinuxRefusesUnsuitableOnes) {
  FakeHost host;
  const std::uint32_t first = 0, beyond = 9;
  std::uint64_t wide = 0;
  std::uint32_t narrow = 0;
  auto sockmap = make(host, spec(BPF_MAP_TYPE_SOCKMAP, 4, 4, 3)).value();
  auto cookies = make(host, spec(BPF_MAP_TYPE_SOCKMAP, 4, 8, 3)).value();
  auto sockhash = make(host, spec(BPF_MAP_TYPE_SOCKHASH, 4, 4, 3)).value();
  EXPECT_EQ(lookup(*sockmap, first, narrow), ENOSPC);
  EXPECT_EQ(lookup(*cookies, first, wide), ENOENT);
  EXPECT_EQ(lookup(*cookies, beyond, wide), ENOENT);
  for (Map* map : {sockmap.get(), sockhash.get()}) {
    EXPECT_EQ(put(*map, first, std::uint32_t{1}), ENOTSOCK);
    EXPECT_EQ(put(*map, first, std::uint32_t{3}), EOPNOTSUPP);
    EXPECT_EQ(put(*map, first, std::uint32_t{99}), EBADF);
  }
  EXPECT_EQ(put(*cookies, first, std::uint64_t{1} << 33), EINVAL);
  EXPECT_EQ(erase(*sockmap, first), EINVAL);
  EXPECT_EQ(erase(*sockhash, first), ENOENT);
  EXPECT_EQ(keys<std::uint32_t>(*sockmap).size(), 3u);
  EXPECT_TRUE(keys<std::uint32_t>(*sockhash).empty());
  EXPECT_EQ(find<std::uint32_t>(*sockmap, first), nullptr);

  auto xsk = make(host, spec(BPF_MAP_TYPE_XSKMAP, 4, 4, 3)).value();
  EXPECT_EQ(lookup(*xsk, first, narrow), EOPNOTSUPP);
  EXPECT_EQ(put(*xsk, first, std::uint32_t{3}), EOPNOTSUPP);
  EXPECT_EQ(put(*xsk, first, std::uint32_t{1}, 3), EINVAL);
  EXPECT_EQ(put(*xsk, beyond, std::uint32_t{1}), E2BIG);
  EXPECT_EQ(erase(*xsk, first), 0);
  EXPECT_EQ(erase(*xsk, beyond), EINVAL);

  auto reuse = make(host, spec(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8, 3)).value();
  EXPECT_EQ(put(*reuse, first, std::uint64_t{3}), EINVAL);
  EXPECT_EQ(put(*reuse, first, std::uint64_t{3}, BPF_EXIST), ENOENT);
  EXPECT_EQ(put(*reuse, first, std::uint64_t{1}), ENOTSOCK);
  EXPECT_EQ(put(*reuse, beyond, std::uint64_t{1}), E2BIG);
  EXPECT_EQ(lookup(*reuse, first, wide), ENOENT);
  EXPECT_EQ(erase(*reuse, first), ENOENT);
  EXPECT_EQ(erase(*reuse, beyond), E2BIG);
}

TEST(TargetMapsTest, DevicesAreTheHosts) {
  DeviceHost host;
  const std::uint32_t first = 0, beyond = 9;
  auto map = make(host, spec(BPF_MAP_TYPE_DEVMAP, 4, 8, 3)).value();
  EXPECT_TRUE(map->has_flag(BPF_F_RDONLY_PROG));
  const auto device = [](std::uint32_t ifindex, std::uint32_t prog = 0) { return std::uint64_t{prog} << 32 | ifindex; };
  std::uint64_t value = 0;
  EXPECT_EQ(lookup(*map, first, value), ENOENT);
  EXPECT_EQ(put(*map, first, device(8)), EINVAL);
  EXPECT_EQ(put(*map, first, device(7, 5)), EINVAL);
  EXPECT_EQ(put(*map, first, device(0, 5)), EINVAL);
  EXPECT_EQ(put(*map, first, device(7), BPF_NOEXIST), EEXIST);
  EXPECT_EQ(put(*map, first, device(7), 3), EINVAL);
  EXPECT_EQ(put(*map, beyond, device(7)), E2BIG);
  EXPECT_EQ(put(*map, first, device(7)), 0);
  EXPECT_EQ(lookup(*map, first, value), 0);
  EXPECT_EQ(value, 7u);
  ASSERT_NE(find<std::uint32_t>(*map, first), nullptr);
  EXPECT_EQ(*find<std::uint32_t>(*map, first), 7u);
  EXPECT_EQ(put(*map, first, device(0)), 0);  // empties the slot
  EXPECT_EQ(find<std::uint32_t>(*map, first), nullptr);
  EXPECT_EQ(erase(*map, first), 0);
  EXPECT_EQ(erase(*map, beyond), EINVAL);

  auto hash = make(host, spec(BPF_MAP_TYPE_DEVMAP_HASH, 4, 4, 2)).value();
  const std::uint32_t key = 1000, seven = 7, eight = 8, none = 0;
  std::uint32_t narrow = 0;
  EXPECT_EQ(put(*hash, key, none), EINVAL);
  EXPECT_EQ(put(*hash, key, eight), EINVAL);
  EXPECT_EQ(put(*hash, key, seven, BPF_NOEXIST), 0);
  EXPECT_EQ(put(*hash, key, eight, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(put(*hash, key, seven), 0);
  EXPECT_EQ(lookup(*hash, key, narrow), 0);
  EXPECT_EQ(narrow, 7u);
  EXPECT_EQ(put(*hash, first, seven), 0);
  EXPECT_EQ(put(*hash, beyond, seven), E2BIG);
  EXPECT_EQ(erase(*hash, key), 0);
  EXPECT_EQ(erase(*hash, key), ENOENT);
}

TEST(TargetMapsTest, QueuesOfOtherCpusAreNotThere) {
  FakeHost host;
  const std::uint32_t first = 0, beyond = 9;
  auto map = make(host, spec(BPF_MAP_TYPE_CPUMAP, 4, 4, 2)).value();
  std::uint32_t value = 0;
  EXPECT_EQ(lookup(*map, first, value), ENOENT);
  EXPECT_EQ(put(*map, first, std::uint32_t{0}), 0);
  EXPECT_EQ(put(*map, first, std::uint32_t{8}), ENODEV);
  EXPECT_EQ(put(*map, first, std::uint32_t{99999}), EOVERFLOW);
  EXPECT_EQ(put(*map, first, std::uint32_t{99999}, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(put(*map, first, std::uint32_t{0}, 3), EINVAL);
  EXPECT_EQ(put(*map, beyond, std::uint32_t{0}), E2BIG);
  EXPECT_EQ(erase(*map, first), 0);
  EXPECT_EQ(erase(*map, beyond), EINVAL);
}

TEST(TargetMapsTest, ControlGroupsAreNotThere) {
  FakeHost host;
  const std::uint32_t first = 0, beyond = 9, fd = 3;
  std::uint32_t value = 0;
  auto array = make(host, spec(BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 3)).value();
  EXPECT_EQ(lookup(*array, first, value), static_cast<int>(Errno::kNotSupp));
  EXPECT_EQ(put(*array, first, fd), EBADF);
  EXPECT_EQ(put(*array, first, fd, BPF_NOEXIST), EINVAL);
  EXPECT_EQ(put(*array, beyond, fd), E2BIG);
  EXPECT_EQ(erase(*array, first), ENOENT);

  struct Key {
    std::uint64_t group;
    std::uint64_t type;
  } key{1, 0};
  auto storage = make(host, spec(BPF_MAP_TYPE_CGROUP_STORAGE, 16, 8, 0)).value();
  std::uint64_t wide = 0;
  EXPECT_EQ(lookup(*storage, key, wide), ENOENT);
  EXPECT_EQ(put(*storage, key, wide), ENOENT);
  EXPECT_EQ(put(*storage, key, wide, BPF_NOEXIST), EINVAL);
  EXPECT_EQ(put(*storage, key, wide, BPF_EXIST), ENOENT);
  EXPECT_EQ(erase(*storage, key), EINVAL);
  EXPECT_TRUE(keys<Key>(*storage).empty());
  auto percpu = make(host, spec(BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, 8, 8, 0)).value();
  EXPECT_EQ(percpu->value_bytes(), 8u * host.possible_cpus());
}

}  // namespace
}  // namespace ring3::maps
