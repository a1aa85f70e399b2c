// References in maps: nobody sees them, and each is given back exactly once.
#include <gtest/gtest.h>

#include <cerrno>
#include <thread>
#include <vector>

#include "maps/object_storage.h"
#include "object/rcu.h"
#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

using namespace uapi;

class KptrLife : public KptrWorld {};

TEST_F(KptrLife, C_19_ClientsSeeZerosAndWriteNone) {
  const long fd = make_holder(BPF_MAP_TYPE_ARRAY);
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> map = map_object(fd);
  put(*map, 0);
  std::uint64_t out[2] = {9, 9};
  EXPECT_EQ(bpf().lookup(fd, out), 0);
  EXPECT_EQ(out[1], 0u);
  EXPECT_EQ(LiveThing::alive, 1);
  // What a client passes in the field's place never gets there; as in Linux 6.12, the stored reference goes.
  const std::uint64_t forged[2] = {5, 0x4141414141414141};
  EXPECT_EQ(bpf().update(fd, forged), 0);
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0);
  {
    ReadSection readers;
    EXPECT_EQ(find(*map, 0)->held, nullptr);
    EXPECT_EQ(find(*map, 0)->number, 5u);
  }
}

TEST_F(KptrLife, C_20_GivenBackAtDeleteAndAtTheEnd) {
  for (const std::uint32_t type : {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_LRU_HASH}) {
    const long fd = make_holder(type);
    ASSERT_GE(fd, 0) << log_.take();
    const std::uint64_t value[2] = {};
    for (std::uint32_t key = 0; key < 3; ++key) ASSERT_EQ(bpf().update(fd, value, key), 0);
    Ref<maps::Map> map = map_object(fd);
    for (std::uint32_t key = 0; key < 3; ++key) put(*map, key);
    EXPECT_EQ(LiveThing::alive, 3);
    EXPECT_EQ(bpf().erase(fd), 0);
    wait_for_readers();
    EXPECT_EQ(LiveThing::alive, 2) << "at the delete";
    map = nullptr;
    bpf().close(fd);
    bpf().next_id(BPF_MAP_GET_NEXT_ID, 0);  // a command, so that the close is noticed
    wait_for_readers();
    wait_for_readers();
    EXPECT_EQ(LiveThing::alive, 0) << "at the end of the map";
  }
}

TEST_F(KptrLife, C_21_EightThreadsExchangeOneSlot) {
  const long fd = make_holder(BPF_MAP_TYPE_ARRAY);
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> map = map_object(fd);
  constexpr int kThreads = 8;
  // 10^6 in all; a sanitizer makes each many times as dear.
  constexpr int kEach = kSanitized ? 12'500 : 125'000;
  std::atomic<std::uint64_t> acquired{0}, released{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      std::uint64_t in = 0, out = 0;
      for (int i = 0; i < kEach; ++i) {
        ReadSection readers;
        LiveThing* fresh = nullptr;
        if (i % 8 != 7) fresh = new LiveThing, ++in;
        LiveThing* old = exchange(*find(*map, 0), fresh);
        if (old != nullptr) old->release(), ++out;
      }
      acquired += in;
      released += out;
    });
  for (std::thread& thread : threads) thread.join();
  {
    ReadSection readers;
    if (find(*map, 0)->held != nullptr) ++released;
  }
  EXPECT_EQ(acquired, released);
}

TEST_F(KptrLife, C_27_StorageOfAnObject) {
  ValueTypes types;
  const auto i32 = types.b.add_int("int", 4, 1);
  const auto value = holder(types);
  const long btf = load_btf(types);
  bpf_attr attr = map_attr(btf, BPF_MAP_TYPE_TASK_STORAGE, i32, value, 16, BPF_F_NO_PREALLOC);
  attr.max_entries = 0;
  const long fd = bpf().create(attr);
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> map = map_object(fd);
  int owner = 0;
  {
    ReadSection readers;
    auto* stored = static_cast<Holder*>(maps::storage_get(*map, &owner, nullptr, 1));
    ASSERT_NE(stored, nullptr);
    ASSERT_EQ(exchange(*stored, new LiveThing), nullptr);
  }
  EXPECT_EQ(LiveThing::alive, 1);
  runtime_->impl().storage_owner_gone(&owner);
  wait_for_readers();
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0);
}

TEST_F(KptrLife, C_37_ASlotUsedAgain) {
  const long fd = make_holder(BPF_MAP_TYPE_HASH);
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> map = map_object(fd);
  const std::uint64_t value[2] = {};
  ASSERT_EQ(bpf().update(fd, value), 0);
  {
    ReadSection readers;
    Holder* old = find(*map, 0);
    ASSERT_EQ(bpf().erase(fd), 0);
    // A program that still looks at the deleted element stores there; the element is used again or freed with the map.
    EXPECT_EQ(exchange(*old, new LiveThing), nullptr);
  }
  for (std::uint32_t key = 0; key < 4; ++key) ASSERT_EQ(bpf().update(fd, value, key), 0);
  EXPECT_EQ(LiveThing::alive, 1);
}

TEST_F(KptrLife, C_38_ReadersKeepWhatTheyFound) {
  const long fd = make_holder(BPF_MAP_TYPE_ARRAY);
  ASSERT_GE(fd, 0) << log_.take();
  Ref<maps::Map> map = map_object(fd);
  put(*map, 0);
  {
    ReadSection readers;
    LiveThing* seen = find(*map, 0)->held;
    seen->id = 42;
    std::thread other([&] {
      ReadSection section;
      LiveThing* old = exchange(*find(*map, 0), nullptr);
      old->release();
    });
    other.join();
    EXPECT_EQ(LiveThing::alive, 1);
    EXPECT_EQ(seen->id, 42u) << "freed under a reader";
  }
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0);
}

TEST_F(KptrLife, RuntimesEndWhileReferencesAreStored) {
  const long fd = make_holder(BPF_MAP_TYPE_HASH);
  ASSERT_GE(fd, 0) << log_.take();
  const std::uint64_t value[2] = {};
  ASSERT_EQ(bpf().update(fd, value), 0);
  put(*map_object(fd), 0);
  client_.reset();
  runtime_.reset();
  wait_for_readers();
  EXPECT_EQ(LiveThing::alive, 0);
}

}  // namespace
}  // namespace ring3::test
