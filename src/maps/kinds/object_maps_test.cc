// Program arrays and maps of maps: values that are references to other objects.
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <thread>

#include "base/fault_point.h"
#include "maps/prog_array.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

class FakeProg final : public Object {
 public:
  explicit FakeProg(ObjectTable& t) : Object(ObjectKind::kProg, t, {}) {}
};

class Fds final : public FdSource {
 public:
  Result<Ref<Object>> object(std::int32_t fd, ObjectKind kind) override {
    auto it = open.find(fd);
    if (it == open.end()) return Errno::kBadF;
    if (it->second->kind() != kind) return Errno::kInval;
    return Ref<Object>(it->second);
  }
  std::map<std::int32_t, Ref<Object>> open;
};

class ObjectMapsTest : public ::testing::Test {
 protected:
  int put(Map& m, std::uint32_t key, std::int32_t fd, std::uint64_t flags = 0) {
    return code(update_elem(m, bytes(key), bytes(fd), flags, fds));
  }
  FakeHost host;
  Fds fds;
};

TEST_F(ObjectMapsTest, ProgArrayAttributes) {
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 8, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 8, 4, 1)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1)), 0);
}

TEST_F(ObjectMapsTest, ProgArrayHoldsProgramsByDescriptorAndShowsIds) {
  auto m = make(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2)).value();
  auto prog = Ref<FakeProg>::adopt(new FakeProg(host.table));
  ASSERT_TRUE(host.table.publish(*prog).ok());
  fds.open[3] = prog;
  fds.open[4] = m;
  std::uint32_t id = 0, zero = 0, one = 1, two = 2;
  EXPECT_EQ(put(*m, 0, 9), EBADF);
  EXPECT_EQ(put(*m, 0, 4), EINVAL) << "a map is no program";
  EXPECT_EQ(put(*m, 2, 3), E2BIG);
  EXPECT_EQ(put(*m, 0, 3, BPF_NOEXIST), EINVAL);
  host.refuse_prog = true;
  EXPECT_EQ(put(*m, 0, 3), EINVAL);
  host.refuse_prog = false;
  EXPECT_EQ(put(*m, 0, 3), 0);
  EXPECT_EQ(lookup(*m, zero, id), 0);
  EXPECT_EQ(id, prog->id());
  EXPECT_EQ(lookup(*m, one, id), ENOENT);
  EXPECT_EQ(lookup(*m, two, id), ENOENT);
  EXPECT_EQ(prog->refs(), 3u);
  {
    rcu::ReadSection section;
    EXPECT_EQ(target(*m, 0), prog.get());
    EXPECT_EQ(target(*m, 1), nullptr);
    EXPECT_EQ(target(*m, 2), nullptr);
    EXPECT_EQ(find<Object>(*m, zero), prog.get());
  }
  EXPECT_EQ(erase(*m, one), ENOENT);
  EXPECT_EQ(erase(*m, two), E2BIG);
  EXPECT_EQ(erase(*m, zero), 0);
  EXPECT_EQ(prog->refs(), 2u);
}

TEST_F(ObjectMapsTest, ProgArrayIsEmptiedWithTheLastUserReference) {
  auto m = make(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2)).value();
  auto prog = Ref<FakeProg>::adopt(new FakeProg(host.table));
  fds.open[3] = prog;
  {
    UserRef<Map> client(m);
    EXPECT_EQ(put(*m, 0, 3), 0);
    EXPECT_EQ(put(*m, 1, 3), 0);
    EXPECT_EQ(prog->refs(), 4u);
  }
  EXPECT_EQ(prog->refs(), 2u);
}

TEST_F(ObjectMapsTest, TemplateDecidesWhatGoesIn) {
  const auto outer_spec = [&](std::uint32_t type, Ref<Map> inner) {
    auto s = spec(type, 4, 4, 2);
    s.inner = std::move(inner);
    return s;
  };
  auto plain = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4)).value();
  for (std::uint32_t type : {std::uint32_t{BPF_MAP_TYPE_ARRAY_OF_MAPS}, std::uint32_t{BPF_MAP_TYPE_HASH_OF_MAPS}}) {
    EXPECT_EQ(create_errno(host, outer_spec(type, nullptr)), EINVAL);
    auto m = make(host, outer_spec(type, plain)).value();
    EXPECT_EQ(create_errno(host, outer_spec(type, m)), EINVAL) << "two levels only";
    auto progs = make(host, spec(BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1)).value();
    EXPECT_EQ(create_errno(host, outer_spec(type, progs)), 524);
    int fd = 10;
    const auto fits = [&](const MapSpec& s) {
      fds.open[++fd] = make(host, s).value();
      return put(*m, 1, fd);
    };
    EXPECT_EQ(fits(spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4)), 0);
    EXPECT_EQ(fits(spec(BPF_MAP_TYPE_ARRAY, 4, 8, 5)), EINVAL);
    EXPECT_EQ(fits(spec(BPF_MAP_TYPE_ARRAY, 4, 16, 4)), EINVAL);
    EXPECT_EQ(fits(spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_INNER_MAP)), EINVAL);
    EXPECT_EQ(fits(spec(BPF_MAP_TYPE_HASH, 4, 8, 4)), EINVAL);
    auto locked = spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4);
    locked.fields.fields.push_back({model::FieldKind::kSpinLock, 0, 4, nullptr, 0, 0});
    EXPECT_EQ(fits(locked), EINVAL);
    EXPECT_EQ(put(*m, 1, 99), EBADF);
    fds.open.clear();
  }
}

TEST_F(ObjectMapsTest, InnerArrayMayVaryWhenItSaysSo) {
  auto s = spec(BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 2);
  s.inner = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4, BPF_F_INNER_MAP)).value();
  auto m = make(host, s).value();
  fds.open[5] = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 400, BPF_F_INNER_MAP)).value();
  EXPECT_EQ(put(*m, 0, 5), 0);
}

TEST_F(ObjectMapsTest, TemplateIsNotHeld) {
  auto inner = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 4)).value();
  auto s = spec(BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 2);
  s.inner = inner;
  auto m = make(host, s).value();
  s.inner = nullptr;
  EXPECT_EQ(inner->refs(), 1u);
  EXPECT_EQ(m->spec().inner_spec->type, std::uint32_t{BPF_MAP_TYPE_HASH});
}

TEST_F(ObjectMapsTest, OnlyHashesCountTheirElements) {
  fds.open[3] = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4)).value();
  const struct {
    std::uint32_t type, flags;
    std::uint64_t count;
  } rows[] = {
      {BPF_MAP_TYPE_HASH, 0, 2},
      {BPF_MAP_TYPE_HASH, BPF_F_NO_PREALLOC, 2},
      {BPF_MAP_TYPE_PERCPU_HASH, 0, 2},
      {BPF_MAP_TYPE_LRU_HASH, 0, 2},
      {BPF_MAP_TYPE_LRU_HASH, BPF_F_NO_COMMON_LRU, 2},
      {BPF_MAP_TYPE_LRU_PERCPU_HASH, 0, 2},
      {BPF_MAP_TYPE_HASH_OF_MAPS, 0, 2},
      {BPF_MAP_TYPE_ARRAY, 0, 0},
      {BPF_MAP_TYPE_PERCPU_ARRAY, 0, 0},
      {BPF_MAP_TYPE_ARRAY_OF_MAPS, 0, 0},
  };
  for (const auto& row : rows) {
    const bool outer = row.type == BPF_MAP_TYPE_HASH_OF_MAPS || row.type == BPF_MAP_TYPE_ARRAY_OF_MAPS;
    auto s = spec(row.type, 4, outer ? 4 : 8, 8, row.flags);
    if (outer) s.inner = make(host, spec(BPF_MAP_TYPE_ARRAY, 4, 8, 4)).value();
    auto m = make(host, s).value();
    const std::vector<std::uint64_t> value(m->value_bytes() / 8 + 1);
    for (const std::uint32_t key : {1u, 2u, 1u}) {
      const auto stored = std::as_bytes(std::span(value)).first(m->value_bytes());
      ASSERT_EQ(outer ? put(*m, key, 3) : code(update_elem(*m, bytes(key), stored, 0, fds)), 0);
    }
    EXPECT_EQ(m->element_count(), row.count) << row.type;
    if (row.count != 0) {
      EXPECT_EQ(erase(*m, std::uint32_t{2}), 0);
    }
    EXPECT_EQ(m->element_count(), row.count / 2) << row.type;
  }
  // A trie knows how many nodes it has, and on Linux tells nobody.
  auto trie = make(host, spec(BPF_MAP_TYPE_LPM_TRIE, 8, 8, 8, BPF_F_NO_PREALLOC)).value();
  const std::uint64_t prefix = 0, value = 1;
  EXPECT_EQ(update(*trie, prefix, value), 0);
  EXPECT_EQ(trie->element_count(), 0u);
}

TEST_F(ObjectMapsTest, OuterMapsGiveTheMapToProgramsAndIdsToClients) {
  for (std::uint32_t type : {std::uint32_t{BPF_MAP_TYPE_ARRAY_OF_MAPS}, std::uint32_t{BPF_MAP_TYPE_HASH_OF_MAPS}}) {
    auto inner = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 4)).value();
    ASSERT_TRUE(host.table.publish(*inner).ok());
    auto s = spec(type, 4, 4, 2);
    s.inner = inner;
    auto m = make(host, s).value();
    s.inner = nullptr;
    fds.open[3] = inner;
    std::uint32_t key = 1, other = 0, id = 0;
    EXPECT_EQ(put(*m, key, 3), 0);
    EXPECT_EQ(inner->refs(), 3u);
    EXPECT_EQ(put(*m, key, 3), 0) << "the same again";
    EXPECT_EQ(inner->refs(), 3u);
    EXPECT_EQ(lookup(*m, key, id), 0);
    EXPECT_EQ(id, inner->id());
    EXPECT_EQ(lookup(*m, other, id), ENOENT);
    {
      rcu::ReadSection section;
      EXPECT_EQ(find<Map>(*m, key), inner.get());
      EXPECT_EQ(find<Map>(*m, other), nullptr);
    }
    EXPECT_EQ(erase(*m, key), 0);
    EXPECT_EQ(inner->refs(), 2u);
    EXPECT_EQ(erase(*m, key), ENOENT);
    EXPECT_EQ(put(*m, key, 3), 0);
    m = nullptr;
    rcu::drain();
    EXPECT_EQ(inner->refs(), 2u) << "the end of the outer map drops its references";
    fds.open.clear();
  }
}

TEST_F(ObjectMapsTest, HashOfMapsUpdateFlags) {
  auto inner = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 4)).value();
  auto s = spec(BPF_MAP_TYPE_HASH_OF_MAPS, 4, 4, 1);
  s.inner = inner;
  auto m = make(host, s).value();
  fds.open[3] = inner;
  EXPECT_EQ(put(*m, 1, 3, BPF_EXIST), ENOENT);
  EXPECT_EQ(put(*m, 1, 3, BPF_NOEXIST), 0);
  EXPECT_EQ(put(*m, 1, 3, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(put(*m, 2, 3), E2BIG);
  EXPECT_EQ(put(*m, 2, 3, 4), EINVAL);
  EXPECT_EQ(put(*m, 2, 3, 8), EINVAL);
}

TEST_F(ObjectMapsTest, CreationSurvivesEveryFailingAllocation) {
  auto inner = make(host, spec(BPF_MAP_TYPE_HASH, 4, 8, 4)).value();
  for (std::uint32_t type : {std::uint32_t{BPF_MAP_TYPE_ARRAY_OF_MAPS}, std::uint32_t{BPF_MAP_TYPE_HASH_OF_MAPS},
                             std::uint32_t{BPF_MAP_TYPE_PROG_ARRAY}}) {
    auto s = spec(type, 4, 4, 2);
    if (type != BPF_MAP_TYPE_PROG_ARRAY) s.inner = inner;
    for (std::int64_t nth = 0; nth < 50; ++nth) {
      FaultInjection fault(nth);
      auto m = make(host, s);
      if (!fault.fired()) {
        EXPECT_TRUE(m.ok());
        break;
      }
      EXPECT_EQ(m.error(), Errno::kNoMem);
    }
  }
  rcu::drain();
  EXPECT_EQ(host.table.live_count(), 1u);
}

// Readers follow slots while a client replaces and deletes what is in them.
TEST_F(ObjectMapsTest, StressSlotsAgainstReaders) {
  for (std::uint32_t type : {std::uint32_t{BPF_MAP_TYPE_ARRAY_OF_MAPS}, std::uint32_t{BPF_MAP_TYPE_HASH_OF_MAPS}}) {
    const auto inner_spec = spec(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
    auto s = spec(type, 4, 4, 4);
    s.inner = make(host, inner_spec).value();
    auto m = make(host, s).value();
    std::atomic<bool> stop{false};
    std::thread reader([&] {
      for (std::uint32_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
        rcu::ReadSection section;
        const std::uint32_t key = i % 4;
        const std::uint32_t zero = 0;
        if (Map* inner = find<Map>(*m, key)) {
          EXPECT_NE(find<std::uint64_t>(*inner, zero), nullptr);
        }
      }
    });
    for (std::uint32_t i = 0; i < 500; ++i) {
      fds.open[3] = make(host, inner_spec).value();
      EXPECT_EQ(put(*m, i % 4, 3), 0);
      if (i % 3 == 0) erase(*m, (i + 1) % 4);
    }
    stop = true;
    reader.join();
    fds.open.clear();
  }
}

}  // namespace
}  // namespace ring3::maps
