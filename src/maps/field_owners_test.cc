// References that map values own: each is given back exactly once, whatever happens to the value.
#include "maps/field_owners.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "base/fault_point.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

/// An object with a count; programs take references and put them into fields.
struct Counted {
  std::atomic<int> refs{0};
};

class OwnerHost final : public FakeHost {
 public:
  using FakeHost::FakeHost;
  Releaser releaser(const model::Field&) override {
    if (!known) return {};
    return {[](void* o, const void* host) {
              auto* object = static_cast<Counted*>(o);
              EXPECT_GT(object->refs.fetch_sub(1), 0);
              if (auto* self = static_cast<const OwnerHost*>(host); self->on_release) self->on_release();
            },
            this};
  }
  bool known = true;
  void (*on_release)() = nullptr;
};

struct Value {
  std::uint64_t number;
  Counted* held;
};

MapSpec owning(bpf_map_type type, std::uint32_t entries, std::uint32_t flags = 0) {
  MapSpec s = spec(type, 4, sizeof(Value), entries, flags);
  s.fields.fields.push_back({model::FieldKind::kKptrRef, offsetof(Value, held), 8, nullptr, 0, 0});
  return s;
}

/// What bpf_kptr_xchg does; what was there goes to the caller.
Counted* put_in(Value* v, Counted* o) {
  if (o) ++o->refs;
  return __atomic_exchange_n(&v->held, o, __ATOMIC_ACQ_REL);
}

class FieldOwnersTest : public ::testing::TestWithParam<std::pair<bpf_map_type, std::uint32_t>> {
 protected:
  OwnerHost host{2};
  Counted object;
  Ref<Map> make_map(std::uint32_t entries = 4) {
    return make(host, owning(GetParam().first, entries, GetParam().second)).value();
  }
  bool percpu() const {
    const auto t = GetParam().first;
    return t == BPF_MAP_TYPE_PERCPU_ARRAY || t == BPF_MAP_TYPE_PERCPU_HASH || t == BPF_MAP_TYPE_LRU_PERCPU_HASH;
  }
  bool array() const {
    return GetParam().first == BPF_MAP_TYPE_ARRAY || GetParam().first == BPF_MAP_TYPE_PERCPU_ARRAY;
  }
  int client_update(Map& m, std::uint32_t key, std::uint64_t flags = 0) {
    Value v[2] = {{1, nullptr}, {2, nullptr}};
    NoFds fds;
    return code(update_elem(m, bytes(key), std::as_bytes(std::span(v)).first(m.value_bytes()), flags, fds));
  }
  void hold(Map& m, std::uint32_t key) {
    rcu::ReadSection section;
    ASSERT_EQ(put_in(find<Value>(m, key), &object), nullptr);
  }
};

TEST_P(FieldOwnersTest, ClientsReadZerosAndTheReferenceStays) {
  Ref<Map> m = make_map();
  ASSERT_EQ(client_update(*m, 1), 0);
  hold(*m, 1);
  Value out[2] = {{9, &object}, {9, &object}};
  const std::uint32_t key = 1;
  ASSERT_EQ(code(lookup_elem(*m, bytes(key), std::as_writable_bytes(std::span(out)).first(m->value_bytes()), 0)), 0);
  EXPECT_EQ(out[0].held, nullptr);
  EXPECT_EQ(out[0].number, 1u);
  EXPECT_EQ(object.refs, 1);
  m = nullptr;
  rcu::drain();
  EXPECT_EQ(object.refs, 0) << "the end of the map";
}

TEST_P(FieldOwnersTest, OverwritingGivesBack) {
  Ref<Map> m = make_map();
  ASSERT_EQ(client_update(*m, 1), 0);
  hold(*m, 1);
  ASSERT_EQ(client_update(*m, 1), 0);
  EXPECT_EQ(object.refs, 0) << "by a client";
  hold(*m, 1);
  const std::uint32_t key = 1;
  const Value fresh{5, &object};
  {
    rcu::ReadSection section;
    ASSERT_EQ(m->ops().data.update(*m, &key, &fresh, BPF_EXIST), 0);
    EXPECT_EQ(object.refs, 0) << "by a program";
    EXPECT_EQ(find<Value>(*m, key)->held, nullptr) << "a pointer in an update is no reference";
    EXPECT_EQ(find<Value>(*m, key)->number, 5u);
  }
  EXPECT_EQ(client_update(*m, 1, BPF_NOEXIST), EEXIST);
}

TEST_P(FieldOwnersTest, DeletingGivesBack) {
  if (array()) GTEST_SKIP() << "arrays keep their elements";
  Ref<Map> m = make_map();
  ASSERT_EQ(client_update(*m, 1), 0);
  hold(*m, 1);
  ASSERT_EQ(erase(*m, std::uint32_t{1}), 0);
  EXPECT_EQ(object.refs, 0);
  ASSERT_EQ(client_update(*m, 1), 0);
  hold(*m, 1);
  Value out[2];
  const std::uint32_t key = 1;
  ASSERT_EQ(code(lookup_and_delete_elem(*m, bytes(key), std::as_writable_bytes(std::span(out)).first(m->value_bytes()),
                                        0)), 0);
  EXPECT_EQ(object.refs, 0);
}

TEST_P(FieldOwnersTest, WhatALateProgramPutInIsGivenBackToo) {
  if (array()) GTEST_SKIP() << "elements of an array are not deleted";
  Ref<Map> m = make_map();
  ASSERT_EQ(client_update(*m, 1), 0);
  {
    rcu::ReadSection section;
    auto* v = find<Value>(*m, std::uint32_t{1});
    ASSERT_EQ(erase(*m, std::uint32_t{1}), 0);
    ASSERT_EQ(put_in(v, &object), nullptr);
  }
  EXPECT_EQ(object.refs, 1);
  m = nullptr;
  rcu::drain();
  EXPECT_EQ(object.refs, 0);
}

TEST_P(FieldOwnersTest, DestructorsRunUnderNoLockOfTheMap) {
  if (array()) GTEST_SKIP() << "elements of an array are not deleted";
  static Map* map;
  Ref<Map> m = make_map();
  map = m.get();
  host.on_release = [] { erase(*map, std::uint32_t{1}); };
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(client_update(*m, 1), 0);
    hold(*m, 1);
    ASSERT_EQ(i ? erase(*m, std::uint32_t{1}) : client_update(*m, 1), 0);
    EXPECT_EQ(object.refs, 0);
  }
  host.on_release = nullptr;
}

TEST_P(FieldOwnersTest, SwapsAndUpdatesAtOnce) {
  Ref<Map> m = make_map(2);
  for (std::uint32_t k = 0; k < 2; ++k) ASSERT_EQ(client_update(*m, k), 0);
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      FakeHost::cpu() = t % 2;
      for (std::uint32_t i = 0; i < 2000; ++i) {
        const std::uint32_t key = i % 2;
        if (t == 2 && i % 8 == 0) {
          if (!array()) erase(*m, key);
          EXPECT_EQ(client_update(*m, key), 0);
          continue;
        }
        rcu::ReadSection section;
        auto* v = find<Value>(*m, key);
        if (!v) continue;
        if (Counted* old = put_in(v, i % 3 ? &object : nullptr)) --old->refs;
      }
    });
  for (auto& t : threads) t.join();
  m = nullptr;
  rcu::drain();
  EXPECT_EQ(object.refs, 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FieldOwnersTest,
                         ::testing::Values(std::pair{BPF_MAP_TYPE_ARRAY, 0u}, std::pair{BPF_MAP_TYPE_PERCPU_ARRAY, 0u},
                                           std::pair{BPF_MAP_TYPE_HASH, 0u},
                                           std::pair{BPF_MAP_TYPE_HASH, std::uint32_t{BPF_F_NO_PREALLOC}},
                                           std::pair{BPF_MAP_TYPE_PERCPU_HASH, 0u},
                                           std::pair{BPF_MAP_TYPE_PERCPU_HASH, std::uint32_t{BPF_F_NO_PREALLOC}},
                                           std::pair{BPF_MAP_TYPE_LRU_HASH, 0u},
                                           std::pair{BPF_MAP_TYPE_LRU_PERCPU_HASH, 0u}));

TEST(FieldOwnersCreateTest, EvictionGivesBack) {
  OwnerHost host{2};
  Counted object;
  auto m = make(host, owning(BPF_MAP_TYPE_LRU_HASH, 4)).value();
  for (std::uint32_t k = 0; k < 100; ++k) {
    ASSERT_EQ(update(*m, k, Value{k, nullptr}), 0);
    rcu::ReadSection section;
    ASSERT_EQ(put_in(find<Value>(*m, k), &object), nullptr);
    EXPECT_LE(object.refs, 5);
  }
  m = nullptr;
  rcu::drain();
  EXPECT_EQ(object.refs, 0);
}

TEST(FieldOwnersCreateTest, CreationIsRefusedLoudly) {
  OwnerHost host;
  EXPECT_EQ(create_errno(host, owning(BPF_MAP_TYPE_HASH, 4, BPF_F_RDONLY_PROG)), EACCES);
  EXPECT_EQ(create_errno(host, owning(BPF_MAP_TYPE_LPM_TRIE, 4, BPF_F_NO_PREALLOC)), EINVAL);
  host.known = false;
  EXPECT_EQ(create_errno(host, owning(BPF_MAP_TYPE_HASH, 4)), ENOENT) << "no destructor";
  EXPECT_NE(host.log.text().find("no destructor"), std::string::npos) << host.log.text();
  host.known = true;
  auto timer = owning(BPF_MAP_TYPE_HASH, 4);
  timer.fields.fields[0].kind = model::FieldKind::kTimer;
  EXPECT_EQ(create_errno(host, timer), EOPNOTSUPP);
  auto m = make(host, owning(BPF_MAP_TYPE_HASH, 4)).value();
  EXPECT_EQ(code(m->freeze()), 524);
}

}  // namespace
}  // namespace ring3::maps
