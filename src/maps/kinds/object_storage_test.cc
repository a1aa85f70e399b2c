#include "maps/object_storage.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <thread>

#include "btf/builder.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

struct Value {
  std::uint64_t number;
  void* held;
};

/// Keys of clients are indexes of `owners`.
class StorageHost final : public FakeHost {
 public:
  Result<void*> storage_owner(std::uint32_t type, std::int32_t key) override {
    if (type != BPF_MAP_TYPE_TASK_STORAGE) return Errno::kOpNotSupp;
    if (key < 0 || key >= 4) return Errno::kBadF;
    return &owners[key];
  }
  Releaser releaser(const model::Field&) override {
    return {[](void* o, const void* self) {
              auto* host = const_cast<StorageHost*>(static_cast<const StorageHost*>(self));
              ++host->released;
              host->storage_owner_gone(o);  // what was held is an owner itself
            },
            this};
  }
  int owners[4] = {};
  std::atomic<int> released{0};
};

MapSpec storage(bpf_map_type type = BPF_MAP_TYPE_TASK_STORAGE) {
  btf::Builder b;
  MapSpec s = spec(type, 4, sizeof(Value), 0, BPF_F_NO_PREALLOC);
  s.key_type = b.add_int("int", 4, 1);
  const btf::TypeId u64 = b.add_int("u64", 8);
  s.value_type = b.add_struct("value", sizeof(Value), {{"number", u64, 0}, {"held", u64, 64}});
  StringSink log;
  s.btf = btf::Btf::parse(b.finish(), nullptr, log).value();
  return s;
}

TEST(ObjectStorageTest, AttributesAreChecked) {
  StorageHost host;
  EXPECT_EQ(create_errno(host, storage()), 0);
  const auto with = [&](auto change) {
    MapSpec s = storage();
    change(s);
    return create_errno(host, s);
  };
  EXPECT_EQ(with([](MapSpec& s) { s.flags = 0; }), EINVAL);
  EXPECT_EQ(with([](MapSpec& s) { s.flags |= BPF_F_CLONE; }), 0);
  EXPECT_EQ(with([](MapSpec& s) { s.flags |= BPF_F_RDONLY_PROG; }), EINVAL);
  EXPECT_EQ(with([](MapSpec& s) { s.max_entries = 1; }), EINVAL);
  EXPECT_EQ(with([](MapSpec& s) { s.key_size = 8; }), EINVAL);
  EXPECT_EQ(with([](MapSpec& s) { s.key_type = 0; }), EINVAL);
  EXPECT_EQ(with([](MapSpec& s) { s.key_type = s.value_type = 0; }), EINVAL);
  EXPECT_EQ(with([](MapSpec& s) { s.value_size = 1 << 16; }), E2BIG);
  for (const auto type : {BPF_MAP_TYPE_SK_STORAGE, BPF_MAP_TYPE_INODE_STORAGE, BPF_MAP_TYPE_CGRP_STORAGE})
    EXPECT_EQ(create_errno(host, storage(type)), 0);
}

TEST(ObjectStorageTest, ProgramsMakeFindAndDelete) {
  StorageHost host;
  auto m = make(host, storage()).value();
  int a = 0, b = 0;
  rcu::ReadSection section;
  EXPECT_EQ(storage_get(*m, &a, nullptr, 0), nullptr);
  EXPECT_EQ(storage_get(*m, nullptr, nullptr, BPF_LOCAL_STORAGE_GET_F_CREATE), nullptr);
  EXPECT_EQ(storage_get(*m, &a, nullptr, 2), nullptr);
  const Value init{7, nullptr};
  auto* v = static_cast<Value*>(storage_get(*m, &a, &init, BPF_LOCAL_STORAGE_GET_F_CREATE));
  ASSERT_NE(v, nullptr);
  EXPECT_EQ(v->number, 7u);
  v->number = 8;
  EXPECT_EQ(storage_get(*m, &a, &init, BPF_LOCAL_STORAGE_GET_F_CREATE), v);
  EXPECT_EQ(v->number, 8u);
  EXPECT_EQ(static_cast<Value*>(storage_get(*m, &b, nullptr, BPF_LOCAL_STORAGE_GET_F_CREATE))->number, 0u);
  EXPECT_EQ(storage_delete(*m, &a), 0);
  EXPECT_EQ(storage_delete(*m, &a), -ENOENT);
  EXPECT_EQ(storage_delete(*m, nullptr), -EINVAL);
  EXPECT_EQ(storage_get(*m, &a, nullptr, 0), nullptr);
}

TEST(ObjectStorageTest, ClientsNameObjectsByTheHostsNumbers) {
  StorageHost host;
  auto m = make(host, storage()).value();
  Value v{3, nullptr};
  EXPECT_EQ(lookup(*m, 1, v), ENOENT);
  EXPECT_EQ(update(*m, 1, v, BPF_EXIST), ENOENT);
  EXPECT_EQ(update(*m, 1, v, BPF_NOEXIST), 0);
  EXPECT_EQ(update(*m, 1, v, BPF_NOEXIST), EEXIST);
  EXPECT_EQ(update(*m, 1, v, BPF_F_LOCK), EINVAL);
  EXPECT_EQ(update(*m, 9, v), EBADF);
  EXPECT_EQ(lookup(*m, 1, v), 0);
  {
    rcu::ReadSection section;
    EXPECT_EQ(static_cast<Value*>(storage_get(*m, &host.owners[1], nullptr, 0))->number, 3u);
  }
  int next = 0;
  EXPECT_EQ(code(next_key(*m, {}, writable(next))), 524);
  EXPECT_EQ(erase(*m, 1), 0);
  EXPECT_EQ(erase(*m, 1), ENOENT);
  auto sk = make(host, storage(BPF_MAP_TYPE_SK_STORAGE)).value();
  EXPECT_EQ(lookup(*sk, 1, v), EOPNOTSUPP);
}

TEST(ObjectStorageTest, ObjectsTakeTheirValuesAlong) {
  StorageHost host;
  MapSpec owning = storage();
  owning.fields.fields.push_back({model::FieldKind::kKptrRef, offsetof(Value, held), 8, nullptr, 0, 0});
  auto first = make(host, owning).value();
  auto second = make(host, storage(BPF_MAP_TYPE_INODE_STORAGE)).value();
  int chain[3] = {};
  {
    rcu::ReadSection section;
    // Each holds a reference to the next, which goes with it.
    for (int i = 0; i < 3; ++i) {
      auto* v = static_cast<Value*>(storage_get(*first, &chain[i], nullptr, 1));
      v->held = i < 2 ? &chain[i + 1] : nullptr;
      ASSERT_NE(storage_get(*second, &chain[i], nullptr, 1), nullptr);
    }
  }
  host.storage_owner_gone(&chain[0]);
  EXPECT_EQ(host.released, 2);
  rcu::ReadSection section;
  for (int& o : chain) {
    EXPECT_EQ(storage_get(*first, &o, nullptr, 0), nullptr);
    EXPECT_EQ(storage_get(*second, &o, nullptr, 0), nullptr);
  }
}

TEST(ObjectStorageStressTest, ObjectsComeAndGoWhileMapsDo) {
  StorageHost host;
  auto m = make(host, storage()).value();
  std::vector<std::thread> threads;
  static int objects[16];
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1500; ++i) {
        void* owner = &objects[(i * 7 + t) % 16];
        if (i % 5 == 0) {
          host.storage_owner_gone(owner);
        } else if (t == 2 && i % 50 == 1) {
          // An object that nobody else lets go.
          auto other = make(host, storage()).value();
          int mine = 0;
          rcu::ReadSection section;
          EXPECT_NE(storage_get(*other, &mine, nullptr, 1), nullptr);
        } else {
          rcu::ReadSection section;
          if (auto* v = static_cast<Value*>(storage_get(*m, owner, nullptr, 1)))
            __atomic_fetch_add(&v->number, 1, __ATOMIC_RELAXED);
        }
      }
    });
  for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace ring3::maps
