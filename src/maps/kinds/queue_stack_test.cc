#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <thread>

#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

// Errnos and orders as Linux answers them to the same calls.

TEST(QueueTest, AttributesAreChecked) {
  FakeHost host;
  for (const bpf_map_type type : {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK}) {
    EXPECT_EQ(create_errno(host, spec(type, 0, 4, 2)), 0);
    EXPECT_EQ(create_errno(host, spec(type, 4, 4, 2)), EINVAL);
    EXPECT_EQ(create_errno(host, spec(type, 0, 0, 2)), EINVAL);
    EXPECT_EQ(create_errno(host, spec(type, 0, 4, 0)), EINVAL);
    EXPECT_EQ(create_errno(host, spec(type, 0, 4, 2, BPF_F_NO_PREALLOC)), EINVAL);
    EXPECT_EQ(create_errno(host, spec(type, 0, 4, 2, BPF_F_ZERO_SEED)), EINVAL);
    EXPECT_EQ(create_errno(host, spec(type, 0, 4, 2, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)), EINVAL);
    EXPECT_EQ(create_errno(host, spec(type, 0, 4, 2, BPF_F_NUMA_NODE | BPF_F_RDONLY_PROG)), 0);
    EXPECT_EQ(create_errno(host, spec(type, 0, 4 << 20, 1)), 0);
    EXPECT_EQ(create_errno(host, spec(type, 0, (4 << 20) + 1, 1)), E2BIG);
    MapSpec extra = spec(type, 0, 4, 2);
    extra.extra = 1;
    EXPECT_EQ(create_errno(host, extra), EINVAL);
  }
}

class QueueClient {
 public:
  QueueClient(FakeHost& host, bpf_map_type type, std::uint32_t entries)
      : map_(make(host, spec(type, 0, 4, entries)).value()) {}
  Map& map() { return *map_; }
  int push(std::uint32_t v, std::uint64_t flags = BPF_ANY) {
    NoFds fds;
    return code(update_elem(*map_, {}, bytes(v), flags, fds));
  }
  int peek(std::uint32_t& v) { return code(lookup_elem(*map_, {}, writable(v), 0)); }
  int pop(std::uint32_t& v, std::uint64_t flags = 0) {
    return code(lookup_and_delete_elem(*map_, {}, writable(v), flags));
  }
  std::vector<std::uint32_t> drain() {
    std::vector<std::uint32_t> all;
    for (std::uint32_t v = 0; pop(v) == 0;) all.push_back(v);
    return all;
  }

 private:
  Ref<Map> map_;
};

TEST(QueueTest, FirstInFirstOut) {
  FakeHost host;
  QueueClient q(host, BPF_MAP_TYPE_QUEUE, 2);
  std::uint32_t v = 7;
  EXPECT_EQ(q.peek(v), ENOENT);
  EXPECT_EQ(q.pop(v), ENOENT);
  EXPECT_EQ(q.push(1), 0);
  EXPECT_EQ(q.push(2), 0);
  EXPECT_EQ(q.push(3), E2BIG);
  EXPECT_EQ(q.peek(v), 0);
  EXPECT_EQ(v, 1u);
  EXPECT_EQ(q.push(3, BPF_EXIST), 0) << "the oldest makes room";
  EXPECT_EQ(q.drain(), (std::vector<std::uint32_t>{2, 3}));
}

TEST(StackTest, LastInFirstOut) {
  FakeHost host;
  QueueClient s(host, BPF_MAP_TYPE_STACK, 2);
  std::uint32_t v = 0;
  EXPECT_EQ(s.push(1), 0);
  EXPECT_EQ(s.push(2), 0);
  EXPECT_EQ(s.push(3), E2BIG);
  EXPECT_EQ(s.push(3, BPF_EXIST), 0) << "the oldest makes room, not the newest";
  EXPECT_EQ(s.peek(v), 0);
  EXPECT_EQ(v, 3u);
  EXPECT_EQ(s.drain(), (std::vector<std::uint32_t>{3, 2}));
  EXPECT_EQ(s.push(4), 0);
  EXPECT_EQ(s.drain(), (std::vector<std::uint32_t>{4}));
}

TEST(QueueTest, FlagsAndOperationsThatDoNotExist) {
  FakeHost host;
  for (const bpf_map_type type : {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK}) {
    QueueClient q(host, type, 2);
    std::uint32_t v = 0;
    EXPECT_EQ(q.push(1, BPF_NOEXIST), EINVAL);
    EXPECT_EQ(q.push(1, 3), EINVAL);
    EXPECT_EQ(q.push(1, BPF_F_LOCK), EINVAL);
    EXPECT_EQ(q.pop(v, BPF_F_LOCK), EINVAL);
    EXPECT_EQ(code(delete_elem(q.map(), {})), EINVAL);
    EXPECT_EQ(code(next_key(q.map(), {}, {})), EINVAL);
    EXPECT_EQ(code(q.map().freeze()), 0);
    EXPECT_EQ(q.push(1), EPERM);
  }
}

TEST(QueueTest, ProgramsAndClientsShareOneQueue) {
  FakeHost host;
  QueueClient q(host, BPF_MAP_TYPE_QUEUE, 4);
  const DataOps& data = q.map().ops().data;
  std::uint32_t v = 5, got = 0;
  EXPECT_EQ(data.push(q.map(), &v, 0), 0);
  EXPECT_EQ(data.peek(q.map(), &got), 0);
  EXPECT_EQ(got, 5u);
  EXPECT_EQ(q.pop(got), 0);
  got = 9;
  EXPECT_EQ(data.pop(q.map(), &got), -ENOENT);
  EXPECT_EQ(got, 0u) << "an empty map leaves zeros";
}

TEST(QueueStressTest, EveryValueComesOutOnce) {
  FakeHost host;
  QueueClient q(host, BPF_MAP_TYPE_QUEUE, 16);
  constexpr std::uint32_t kEach = 4000;
  std::vector<std::thread> threads;
  std::vector<std::uint32_t> got[2];
  for (std::uint32_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < kEach; ++i)
        while (q.push(t * kEach + i) != 0) std::this_thread::yield();
    });
  std::atomic<std::uint32_t> left{2 * kEach};
  for (auto& mine : got)
    threads.emplace_back([&] {
      while (left != 0) {
        std::uint32_t v = 0;
        if (q.pop(v) != 0) {
          std::this_thread::yield();
          continue;
        }
        mine.push_back(v);
        --left;
      }
    });
  for (auto& t : threads) t.join();
  std::set<std::uint32_t> all(got[0].begin(), got[0].end());
  all.insert(got[1].begin(), got[1].end());
  EXPECT_EQ(all.size(), 2 * kEach);
  EXPECT_EQ(got[0].size() + got[1].size(), 2 * kEach);
}

}  // namespace
}  // namespace ring3::maps
