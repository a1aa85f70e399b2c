// Maps through bpf(2): creation in the order of behaviour.md 0.1.9, elements, access modes, batches, info, ids.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <climits>
#include <numeric>

#include "base/fault_point.h"
#include "tests/support/fake_kernel.h"

namespace ring3::syscall {
namespace {

using test::FakeKernel;

constexpr long err(Errno e) { return to_syscall(e); }

class MapCommandsTest : public testing::Test {
 protected:
  static uapi::bpf_attr map_attr(std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t entries,
                                 std::uint32_t flags = 0) {
    uapi::bpf_attr attr = FakeKernel::attr();
    attr.map_type = type;
    attr.key_size = key;
    attr.value_size = value;
    attr.max_entries = entries;
    attr.map_flags = flags;
    return attr;
  }
  OwnedFd create(uapi::bpf_attr attr) {
    const long fd = k.bpf(uapi::BPF_MAP_CREATE, attr);
    EXPECT_GE(fd, 0) << fd;
    return OwnedFd(static_cast<int>(fd));
  }
  long create_error(uapi::bpf_attr attr) {
    const long fd = k.bpf(uapi::BPF_MAP_CREATE, attr);
    if (fd >= 0) ::close(static_cast<int>(fd));
    return fd;
  }
  template <typename K, typename V>
  long elem(int cmd, int fd, const K* key, V* value, std::uint64_t flags = 0) {
    uapi::bpf_attr attr = FakeKernel::attr();
    attr.map_fd = static_cast<std::uint32_t>(fd);
    attr.key = FakeKernel::address(key);
    attr.value = FakeKernel::address(value);
    attr.flags = flags;
    return k.bpf(cmd, attr);
  }
  uapi::bpf_map_info info(int fd) {
    uapi::bpf_map_info out{};
    uapi::bpf_attr attr = FakeKernel::attr();
    attr.info.bpf_fd = static_cast<std::uint32_t>(fd);
    attr.info.info_len = sizeof out;
    attr.info.info = FakeKernel::address(&out);
    EXPECT_EQ(k.bpf(uapi::BPF_OBJ_GET_INFO_BY_FD, attr), 0);
    EXPECT_EQ(attr.info.info_len, sizeof out);
    return out;
  }

  FakeKernel k;
};

TEST_F(MapCommandsTest, CreationFaultsOneAtATime) {
  const auto hash = map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 10);
  const auto with = [&](auto change) {
    uapi::bpf_attr attr = hash;
    change(attr);
    return create_error(attr);
  };
  EXPECT_GE(create_error(hash), 0);
  EXPECT_EQ(with([](auto& a) { a.btf_vmlinux_value_type_id = 1; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.btf_key_type_id = 1; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.map_extra = 1; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.map_flags = uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.map_flags = uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.map_type = 0; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.map_type = 99; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.max_entries = 0; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { a.map_flags = uapi::BPF_F_TOKEN_FD; }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { std::memcpy(a.map_name, "a-b", 3); }), err(Errno::kInval));
  EXPECT_EQ(with([](auto& a) { std::memset(a.map_name, 'a', 16); }), err(Errno::kInval)) << "no NUL";
  EXPECT_GE(with([](auto& a) { std::memset(a.map_name, 'a', 15); }), 0);
  EXPECT_GE(with([](auto& a) { std::memcpy(a.map_name, "a.b\0-", 5); }), 0) << "bytes after the NUL are ignored";
  EXPECT_EQ(with([](auto& a) { a.btf_value_type_id = 1, a.btf_fd = 999; }), err(Errno::kBadF));
  EXPECT_EQ(with([](auto& a) { a.excl_prog_hash_size = 32; }), err(Errno::kInval));
  k.rights = model::Rights{};
  EXPECT_EQ(with([](auto&) {}), err(Errno::kPerm));
  EXPECT_EQ(with([](auto& a) { a.max_entries = 0; }), err(Errno::kInval)) << "the type's check comes before rights";
  EXPECT_EQ(with([](auto& a) { std::memcpy(a.map_name, "a-b", 3); }), err(Errno::kPerm)) << "rights before the name";
}

TEST_F(MapCommandsTest, StructOpsCreationPrecedence) {
  auto attr = map_attr(uapi::BPF_MAP_TYPE_STRUCT_OPS, 4, 64, 1, uapi::BPF_F_LINK);
  EXPECT_EQ(create_error(attr), err(Errno::kInval)) << "no value type";
  attr.btf_vmlinux_value_type_id = 1;
  attr.btf_fd = static_cast<std::uint32_t>(-1);
  EXPECT_EQ(create_error(attr), err(Errno::kNotSupp)) << "libbpf's probe: an unregistered type, whatever the BTF fd";
  attr.key_size = 8;
  EXPECT_EQ(create_error(attr), err(Errno::kInval));
  attr.key_size = 4;
  attr.map_flags |= uapi::BPF_F_VTYPE_BTF_OBJ_FD;
  attr.value_type_btf_obj_fd = -1;
  EXPECT_EQ(create_error(attr), err(Errno::kBadF));
}

TEST_F(MapCommandsTest, HostBtfIsNotAClientsBtf) {
  auto by_id = FakeKernel::attr();
  by_id.btf_id = 1;
  const OwnedFd vmlinux(static_cast<int>(k.bpf(uapi::BPF_BTF_GET_FD_BY_ID, by_id)));
  ASSERT_TRUE(vmlinux);
  auto attr = map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1);
  attr.btf_fd = static_cast<std::uint32_t>(vmlinux.get());
  attr.btf_key_type_id = attr.btf_value_type_id = 1;
  EXPECT_EQ(create_error(attr), err(Errno::kAcces));
}

TEST_F(MapCommandsTest, Elements) {
  const OwnedFd fd = create(map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 2));
  std::uint32_t key = 7;
  std::uint64_t value = 42, out = 0;
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, fd.get(), &key, &out), err(Errno::kNoEnt));
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, fd.get(), &key, &value), 0);
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, fd.get(), &key, &out), 0);
  EXPECT_EQ(out, 42u);
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, fd.get(), &key, &value, uapi::BPF_NOEXIST), err(Errno::kExist));
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, fd.get(), &key, &value, 99), err(Errno::kInval));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, fd.get(), &key, &out, 1), err(Errno::kInval));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, fd.get(), &key, &out, uapi::BPF_F_LOCK), err(Errno::kInval));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, fd.get(), &key, static_cast<int*>(nullptr)), err(Errno::kFault));
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, fd.get(), static_cast<int*>(nullptr), &value), err(Errno::kFault));
  std::uint32_t next = 0;
  EXPECT_EQ(elem(uapi::BPF_MAP_GET_NEXT_KEY, fd.get(), static_cast<int*>(nullptr), &next), 0);
  EXPECT_EQ(next, 7u);
  EXPECT_EQ(elem(uapi::BPF_MAP_GET_NEXT_KEY, fd.get(), &key, &next), err(Errno::kNoEnt));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_AND_DELETE_ELEM, fd.get(), &key, &out), 0);
  auto attr = FakeKernel::attr();
  attr.map_fd = static_cast<std::uint32_t>(fd.get());
  attr.key = FakeKernel::address(&key);
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_DELETE_ELEM, attr), err(Errno::kNoEnt));
}

TEST_F(MapCommandsTest, MapsWithoutKeys) {
  OwnedFd queue = create(map_attr(uapi::BPF_MAP_TYPE_QUEUE, 0, 4, 2));
  const void* none = nullptr;
  std::uint32_t value = 7, key = 0;
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, queue.get(), none, &value), 0);
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, queue.get(), &key, &value), err(Errno::kInval)) << "a key where none is";
  value = 0;
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_AND_DELETE_ELEM, queue.get(), none, &value), 0);
  EXPECT_EQ(value, 7u);
  OwnedFd bloom = create(map_attr(uapi::BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 100));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, bloom.get(), none, &value), err(Errno::kNoEnt));
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, bloom.get(), none, &value), 0);
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, bloom.get(), none, &value), 0) << "asks about the caller's value";
}

TEST_F(MapCommandsTest, WrongDescriptors) {
  std::uint32_t key = 0, value = 0;
  const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int cmd : {int{uapi::BPF_MAP_LOOKUP_ELEM}, int{uapi::BPF_MAP_UPDATE_ELEM}, int{uapi::BPF_MAP_GET_NEXT_KEY}}) {
    EXPECT_EQ(elem(cmd, -1, &key, &value), err(Errno::kBadF));
    EXPECT_EQ(elem(cmd, 9999, &key, &value), err(Errno::kBadF));
    EXPECT_EQ(elem(cmd, null.get(), &key, &value), err(Errno::kInval));
  }
}

TEST_F(MapCommandsTest, AccessModesOfDescriptors) {
  std::uint32_t key = 0, value = 5;
  const OwnedFd ro = create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1, uapi::BPF_F_RDONLY));
  const OwnedFd wo = create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1, uapi::BPF_F_WRONLY));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, ro.get(), &key, &value), 0);
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, ro.get(), &key, &value), err(Errno::kPerm));
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, wo.get(), &key, &value), err(Errno::kPerm));
  EXPECT_EQ(elem(uapi::BPF_MAP_GET_NEXT_KEY, wo.get(), &key, &value), err(Errno::kPerm));
  EXPECT_EQ(elem(uapi::BPF_MAP_UPDATE_ELEM, wo.get(), &key, &value), 0);
  EXPECT_EQ(info(ro.get()).map_flags, 0u) << "the mode is the descriptor's";
}

TEST_F(MapCommandsTest, MappableMapsAreTheirDescriptor) {
  const OwnedFd fd = create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 4, uapi::BPF_F_MMAPABLE));
  auto* memory = static_cast<std::uint64_t*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
  ASSERT_NE(memory, MAP_FAILED);
  memory[2] = 77;
  std::uint32_t key = 2;
  std::uint64_t value = 0;
  EXPECT_EQ(elem(uapi::BPF_MAP_LOOKUP_ELEM, fd.get(), &key, &value), 0);
  EXPECT_EQ(value, 77u);
  ::munmap(memory, 4096);
}

TEST_F(MapCommandsTest, InfoEchoesCreation) {
  auto attr = map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 10, uapi::BPF_F_NO_PREALLOC);
  std::memcpy(attr.map_name, "counts", 6);
  const OwnedFd fd = create(attr);
  const uapi::bpf_map_info out = info(fd.get());
  EXPECT_EQ(out.type, uapi::BPF_MAP_TYPE_HASH);
  EXPECT_GT(out.id, 0u);
  EXPECT_EQ(out.key_size, 4u);
  EXPECT_EQ(out.value_size, 8u);
  EXPECT_EQ(out.max_entries, 10u);
  EXPECT_EQ(out.map_flags, uapi::BPF_F_NO_PREALLOC);
  EXPECT_STREQ(out.name, "counts");
}

TEST_F(MapCommandsTest, InfoBuffers) {
  const OwnedFd fd = create(map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 10));
  std::array<unsigned char, 512> buffer{};
  const auto ask = [&](int object, std::uint32_t bytes, std::uint32_t* used) {
    auto attr = FakeKernel::attr();
    attr.info.bpf_fd = static_cast<std::uint32_t>(object);
    attr.info.info_len = bytes;
    attr.info.info = FakeKernel::address(buffer.data());
    const long result = k.bpf(uapi::BPF_OBJ_GET_INFO_BY_FD, attr);
    *used = attr.info.info_len;
    return result;
  };
  std::uint32_t used = 0;
  EXPECT_EQ(ask(fd.get(), 8, &used), 0);
  EXPECT_EQ(used, 8u);
  EXPECT_EQ(buffer[0], uapi::BPF_MAP_TYPE_HASH);
  EXPECT_EQ(buffer[8], 0) << "beyond the client's length";
  buffer.fill(0);
  EXPECT_EQ(ask(fd.get(), buffer.size(), &used), 0);
  EXPECT_EQ(used, sizeof(uapi::bpf_map_info));
  buffer[511] = 1;
  EXPECT_EQ(ask(fd.get(), buffer.size(), &used), err(Errno::kTooBig));
  const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(ask(null.get(), 80, &used), err(Errno::kInval));
  EXPECT_EQ(ask(-1, 80, &used), err(Errno::kBadFd));
}

TEST_F(MapCommandsTest, IdsWalkAndOpen) {
  const OwnedFd a = create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1));
  OwnedFd b = create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1));
  const std::uint32_t id_a = info(a.get()).id, id_b = info(b.get()).id;
  const auto next = [&](std::uint32_t after) {
    auto attr = FakeKernel::attr();
    attr.start_id = after;
    const long result = k.bpf(uapi::BPF_MAP_GET_NEXT_ID, attr);
    return result < 0 ? result : static_cast<long>(attr.next_id);
  };
  const auto open = [&](std::uint32_t id, std::uint32_t flags = 0) {
    auto attr = FakeKernel::attr();
    attr.map_id = id;
    attr.open_flags = flags;
    return OwnedFd(static_cast<int>(k.bpf(uapi::BPF_MAP_GET_FD_BY_ID, attr)));
  };
  EXPECT_EQ(next(0), id_a);
  EXPECT_EQ(next(id_a), id_b);
  EXPECT_EQ(next(id_b), err(Errno::kNoEnt));
  EXPECT_EQ(next(INT_MAX), err(Errno::kInval));
  EXPECT_EQ(info(open(id_b).get()).id, id_b);
  EXPECT_TRUE(open(id_b, uapi::BPF_F_RDONLY));
  EXPECT_FALSE(open(id_b, uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY));
  EXPECT_FALSE(open(id_b, 1));
  EXPECT_FALSE(open(0));
  b.reset();
  EXPECT_EQ(next(id_a), err(Errno::kNoEnt)) << "the last close took it out of sight";
  EXPECT_FALSE(open(id_b));
}

TEST_F(MapCommandsTest, BatchesWalkAHash) {
  // Keys longer than the 4-byte token that clients keep between two calls.
  const OwnedFd fd = create(map_attr(uapi::BPF_MAP_TYPE_HASH, 16, 8, 100));
  struct Key { std::uint64_t a, b; };
  std::array<Key, 10> keys{};
  std::array<std::uint64_t, 10> values{};
  for (std::uint64_t i = 0; i < 10; ++i) keys[i] = {i, ~i}, values[i] = i * 3;
  auto attr = FakeKernel::attr();
  attr.batch.map_fd = static_cast<std::uint32_t>(fd.get());
  attr.batch.keys = FakeKernel::address(keys.data());
  attr.batch.values = FakeKernel::address(values.data());
  attr.batch.count = 10;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_UPDATE_BATCH, attr), 0);
  EXPECT_EQ(attr.batch.count, 10u);

  struct { std::uint32_t token, guard; } walk{0, 0xabcdef};
  std::uint64_t sum = 0;
  std::uint32_t seen = 0;
  bool first = true;
  for (long result = 0; result == 0; first = false) {
    std::array<Key, 4> got_keys{};
    std::array<std::uint64_t, 4> got{};
    auto a = FakeKernel::attr();
    a.batch.map_fd = attr.batch.map_fd;
    a.batch.in_batch = first ? 0 : FakeKernel::address(&walk.token);
    a.batch.out_batch = FakeKernel::address(&walk.token);
    a.batch.keys = FakeKernel::address(got_keys.data());
    a.batch.values = FakeKernel::address(got.data());
    a.batch.count = 4;
    result = k.bpf(uapi::BPF_MAP_LOOKUP_BATCH, a);
    ASSERT_TRUE(result == 0 || result == err(Errno::kNoEnt)) << result;
    seen += a.batch.count;
    sum += std::accumulate(got.begin(), got.begin() + a.batch.count, std::uint64_t{0});
  }
  EXPECT_EQ(seen, 10u);
  EXPECT_EQ(sum, 135u);
  EXPECT_EQ(walk.guard, 0xabcdefu) << "a token has four bytes";

  attr.batch.count = 3;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_DELETE_BATCH, attr), 0);
  attr.batch.count = 4;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_DELETE_BATCH, attr), err(Errno::kNoEnt));
  EXPECT_EQ(attr.batch.count, 0u);
  std::array<Key, 20> got_keys{};
  std::array<std::uint64_t, 20> got{};
  attr.batch.keys = FakeKernel::address(got_keys.data());
  attr.batch.values = FakeKernel::address(got.data());
  attr.batch.out_batch = FakeKernel::address(&walk.token);
  attr.batch.count = 20;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_LOOKUP_AND_DELETE_BATCH, attr), err(Errno::kNoEnt));
  EXPECT_EQ(attr.batch.count, 7u);
  attr.batch.count = 20;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_LOOKUP_AND_DELETE_BATCH, attr), err(Errno::kNoEnt));
  EXPECT_EQ(attr.batch.count, 0u);
}

TEST_F(MapCommandsTest, SessionsAreInvisibleUntilCommit) {
  LoadSession session(k.kernel());
  k.session = &session;
  const OwnedFd fd = create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1));
  const std::uint32_t id = info(fd.get()).id;
  EXPECT_GT(id, 0u);
  auto attr = FakeKernel::attr();
  attr.map_id = id;
  const OwnedFd own(static_cast<int>(k.bpf(uapi::BPF_MAP_GET_FD_BY_ID, attr)));
  EXPECT_TRUE(own) << "the session opens its own objects by id";
  k.session = nullptr;
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_GET_FD_BY_ID, attr), err(Errno::kNoEnt));
  attr = FakeKernel::attr();
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_GET_NEXT_ID, attr), err(Errno::kNoEnt));
  ASSERT_TRUE(session.commit().ok());
  EXPECT_EQ(k.bpf(uapi::BPF_MAP_GET_NEXT_ID, attr), 0);
  EXPECT_EQ(attr.next_id, id);
}

TEST_F(MapCommandsTest, StatisticsLastAsLongAsTheDescriptor) {
  auto attr = FakeKernel::attr();
  OwnedFd fd(static_cast<int>(k.bpf(uapi::BPF_ENABLE_STATS, attr)));
  ASSERT_TRUE(fd);
  EXPECT_EQ(k.machine().stats_users, 1u);
  EXPECT_EQ(info(create(map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 1)).get()).key_size, 4u);
  fd.reset();
  attr.enable_stats.type = 9;
  EXPECT_EQ(k.bpf(uapi::BPF_ENABLE_STATS, attr), err(Errno::kInval));
  EXPECT_EQ(k.machine().stats_users, 0u);
}

TEST_F(MapCommandsTest, EveryAllocationMayFail) {
  for (std::int64_t n = 0; n < 64; ++n) {
    bool fired;
    {
      FaultInjection injection(n);
      (void)create_error(map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 16));
      fired = injection.fired();
    }
    auto attr = FakeKernel::attr();
    EXPECT_EQ(k.bpf(uapi::BPF_MAP_GET_NEXT_ID, attr), err(Errno::kNoEnt)) << "nothing stays, n = " << n;
    if (!fired) return;
  }
  FAIL() << "more than 64 places that may fail";
}

}  // namespace
}  // namespace ring3::syscall
