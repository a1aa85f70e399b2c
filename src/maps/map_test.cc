// What all maps share: creation checks and their order, freezing, client writes, the list of kinds.
#include "maps/map.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault_point.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

TEST(MapKindsTest, EveryTypeHasARowThatWorksOrSaysWhy) {
  MapKinds kinds;
  for (std::uint32_t t = 1; t < __MAX_BPF_MAP_TYPE; ++t) {
    const MapKindRow* row = kinds.row(t);
    ASSERT_NE(row, nullptr) << t;
    EXPECT_EQ(row->type, t);
    if (row->ops) {
      EXPECT_EQ(row->ops->type, t);
      EXPECT_STREQ(row->ops->name, row->name);
      EXPECT_NE(row->ops->control.create, nullptr);
    } else {
      ASSERT_NE(row->why, nullptr) << row->name;
      StringSink log;
      EXPECT_EQ(kinds.find(t, log).error(), Errno::kInval);
      EXPECT_NE(log.text().find(row->name), std::string::npos);
    }
  }
  EXPECT_EQ(kinds.row(0), nullptr);
  EXPECT_EQ(kinds.row(__MAX_BPF_MAP_TYPE), nullptr);
  NullSink none;
  EXPECT_EQ(kinds.find(0, none).error(), Errno::kInval);
}

TEST(MapCheckTest, FaultsInTheKernelsOrder) {
  FakeHost host;
  auto s = spec(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
  s.kernel_value_type = 1;
  EXPECT_EQ(create_errno(host, s), EINVAL);
  s = spec(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
  s.key_type = 1;
  EXPECT_EQ(create_errno(host, s), EINVAL);
  s = spec(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
  s.extra = 1;
  EXPECT_EQ(create_errno(host, s), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY | BPF_F_WRONLY)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_UNSPEC, 4, 8, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(77, 4, 8, 1)), EINVAL);
  // A value type without BTF data.
  s = spec(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
  s.value_type = 3;
  EXPECT_EQ(create_errno(host, s), EINVAL);
  EXPECT_NE(host.log.text().find("BTF types without BTF"), std::string::npos);
}

TEST(MapCheckTest, SpecialFieldsOnlyWhereTheyCanBeHeld) {
  FakeHost host;
  auto s = spec(BPF_MAP_TYPE_HASH, 4, 16, 4);
  s.fields.fields.push_back({model::FieldKind::kSpinLock, 0, 4, nullptr, 0, 0});
  EXPECT_EQ(create_errno(host, s), 0);
  s.flags = BPF_F_RDONLY_PROG;
  EXPECT_EQ(create_errno(host, s), EACCES);
  s.flags = 0;
  s.type = BPF_MAP_TYPE_PERCPU_HASH;
  EXPECT_EQ(create_errno(host, s), EOPNOTSUPP);
  s.type = BPF_MAP_TYPE_HASH;
  s.fields.fields[0].kind = model::FieldKind::kTimer;
  EXPECT_EQ(create_errno(host, s), EOPNOTSUPP);
}

TEST(MapFreezeTest, StopsClientsNotPrograms) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 2)).value();
  std::uint32_t key = 0;
  std::uint64_t value = 7, out = 0;
  EXPECT_EQ(update(*m, key, value), 0);
  EXPECT_EQ(code(m->freeze()), 0);
  EXPECT_TRUE(m->frozen());
  EXPECT_EQ(update(*m, key, value), EPERM);
  EXPECT_EQ(erase(*m, key), EPERM);
  EXPECT_EQ(lookup(*m, key, out), 0);
  EXPECT_EQ(out, 7u);
  EXPECT_EQ(code(m->freeze()), EBUSY);
  value = 8;
  EXPECT_EQ(m->ops().data.update(*m, &key, &value, BPF_ANY), 0);
  EXPECT_EQ(lookup(*m, key, out), 0);
  EXPECT_EQ(out, 8u);
}

TEST(MapFreezeTest, BusyWhileAClientWrites) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 2)).value();
  ASSERT_EQ(code(m->begin_client_write()), 0);
  EXPECT_EQ(code(m->freeze()), EBUSY);
  m->end_client_write();
  EXPECT_EQ(code(m->freeze()), 0);
  EXPECT_EQ(code(m->begin_client_write()), EPERM);
}

TEST(MapFreezeTest, RefusedWithSpecialFields) {
  FakeHost host;
  auto s = spec(BPF_MAP_TYPE_ARRAY, 4, 16, 4);
  s.fields.fields.push_back({model::FieldKind::kSpinLock, 4, 4, nullptr, 0, 0});
  EXPECT_EQ(code(make(host, s).value()->freeze()), 524);
}

TEST(MapMemoryTest, MappableArrayIsClientMemoryOfSealedSize) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 100, 50, BPF_F_MMAPABLE)).value();
  ASSERT_GE(m->memory_fd(), 0);
  const std::size_t bytes = m->mappable_bytes();
  EXPECT_EQ(bytes, 8192u);  // 50 slots of 104 bytes, in pages
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory_fd(), 0);
  ASSERT_NE(p, MAP_FAILED);
  static_cast<char*>(p)[104 * 3] = 42;
  std::uint32_t key = 3;
  EXPECT_EQ(*find<char>(*m, key), 42);
  EXPECT_NE(ftruncate(m->memory_fd(), 0), 0) << "a client must not be able to make the host fault";
  EXPECT_NE(ftruncate(m->memory_fd(), 1 << 20), 0);
  munmap(p, bytes);
  char link[64], text[64] = {};
  snprintf(link, sizeof link, "/proc/self/fd/%d", m->memory_fd());
  ASSERT_GT(readlink(link, text, sizeof text - 1), 0);
  EXPECT_NE(std::string(text).find("bpf-map"), std::string::npos);
}

TEST(MapMemoryTest, WhatProgramsOnlyReadNoClientMapsWritable) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 64, 1, BPF_F_MMAPABLE | BPF_F_RDONLY_PROG)).value();
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory_fd(), 0), MAP_FAILED);
  char byte = 1;
  EXPECT_EQ(pwrite(m->memory_fd(), &byte, 1, 0), -1);
  void* p = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, m->memory_fd(), 0);
  ASSERT_NE(p, MAP_FAILED);
  std::uint32_t key = 0;
  char value[64] = "constant";
  EXPECT_EQ(update(*m, key, value), 0);
  EXPECT_EQ(code(m->freeze()), 0);
  EXPECT_STREQ(static_cast<char*>(p), "constant");
  EXPECT_NE(mprotect(p, 4096, PROT_READ | PROT_WRITE), 0);
  munmap(p, 4096);
  EXPECT_EQ(update(*m, key, value), EPERM);
}

TEST(MapMemoryTest, NoNewWriterAfterFreeze) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 64, 1, BPF_F_MMAPABLE)).value();
  EXPECT_EQ(code(m->freeze()), 0);
  EXPECT_EQ(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory_fd(), 0), MAP_FAILED);
  std::uint32_t key = 0;
  char value[64] = "by a program";
  EXPECT_EQ(m->ops().data.update(*m, &key, value, 0), 0);
}

TEST(ClientAccessTest, SizesAndFlagsAreChecked) {
  FakeHost host;
  auto m = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 2)).value();
  std::uint32_t key = 0;
  std::uint64_t value = 0;
  std::uint16_t small = 0;
  EXPECT_EQ(lookup(*m, small, value), EINVAL);
  EXPECT_EQ(lookup(*m, key, small), EINVAL);
  EXPECT_EQ(update(*m, small, value), EINVAL);
  EXPECT_EQ(update(*m, key, small), EINVAL);
  EXPECT_EQ(erase(*m, small), EINVAL);
  EXPECT_EQ(lookup(*m, key, value, 1), EINVAL);
  EXPECT_EQ(lookup(*m, key, value, BPF_F_LOCK), EINVAL) << "no lock in the value";
  EXPECT_EQ(update(*m, key, value, BPF_F_LOCK), EINVAL);
  EXPECT_EQ(code(next_key(*m, bytes(small), writable(key))), EINVAL);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, bytes(key), writable(value), 1)), EINVAL);
}

// Every allocation of creation fails once; nothing stays behind.
TEST(MapFaultTest, CreationSurvivesEveryFailingAllocation) {
  const MapSpec specs[] = {
      spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4),
      spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_MMAPABLE),
      spec(BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 4),
      spec(BPF_MAP_TYPE_HASH, 4, 8, 4),
      spec(BPF_MAP_TYPE_HASH, 4, 8, 4, BPF_F_NO_PREALLOC),
      spec(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 4),
  };
  for (const MapSpec& s : specs) {
    FakeHost host;
    int failures = 0;
    for (std::int64_t nth = 0; nth < 100; ++nth) {
      FaultInjection fault(nth);
      auto m = make(host, s);
      if (!fault.fired()) {
        EXPECT_TRUE(m.ok());
        break;
      }
      ++failures;
      ASSERT_FALSE(m.ok());
      EXPECT_EQ(m.error(), Errno::kNoMem);
    }
    EXPECT_GT(failures, 0);
    rcu::drain();
    EXPECT_TRUE(host.table.live().empty());
  }
}

}  // namespace
}  // namespace ring3::maps
