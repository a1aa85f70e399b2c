#include "maps/arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <set>
#include <thread>

#include "base/fault_point.h"
#include "maps/map_memory.h"
#include "maps/testing.h"

namespace ring3::maps {
namespace {

using namespace testing;
using namespace uapi;

constexpr std::uint64_t kPage = 4096;

MapSpec arena(std::uint32_t pages, std::uint64_t extra = 0, std::uint32_t flags = BPF_F_MMAPABLE) {
  MapSpec s = spec(BPF_MAP_TYPE_ARENA, 0, 0, pages, flags);
  s.extra = extra;
  return s;
}

// Errnos as Linux answers them to the same calls.
TEST(ArenaTest, AttributesAreChecked) {
  FakeHost host;
  EXPECT_EQ(create_errno(host, arena(2)), 0);
  EXPECT_EQ(create_errno(host, arena(2, 0, 0)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_ARENA, 4, 0, 2, BPF_F_MMAPABLE)), EINVAL);
  EXPECT_EQ(create_errno(host, spec(BPF_MAP_TYPE_ARENA, 0, 4, 2, BPF_F_MMAPABLE)), EINVAL);
  EXPECT_EQ(create_errno(host, arena(0)), EINVAL);
  EXPECT_EQ(create_errno(host, arena(1 << 20)), 0);
  EXPECT_EQ(create_errno(host, arena((1 << 20) + 1)), E2BIG);
  EXPECT_EQ(create_errno(host, arena(2, 0, BPF_F_MMAPABLE | BPF_F_NO_USER_CONV)), 0);
  EXPECT_EQ(create_errno(host, arena(2, 0, BPF_F_MMAPABLE | BPF_F_RDONLY)), EINVAL);
  EXPECT_EQ(create_errno(host, arena(2, 4096)), 0);
  EXPECT_EQ(create_errno(host, arena(2, 4097)), EINVAL);
  EXPECT_EQ(create_errno(host, arena(2, 0x1fffff000)), ERANGE);
  EXPECT_EQ(create_errno(host, arena(2, 0x1ffffe000)), 0);
  EXPECT_EQ(create_errno(host, arena(1 << 20, 0x1000)), ERANGE);
  EXPECT_EQ(create_errno(host, arena(2, 0, BPF_F_MMAPABLE | BPF_F_SEGV_ON_FAULT)), 524) << "not told apart here";
}

TEST(ArenaTest, HasNoElements) {
  FakeHost host;
  auto m = make(host, arena(2)).value();
  NoFds fds;
  EXPECT_EQ(code(lookup_elem(*m, {}, {}, 0)), EINVAL);
  EXPECT_EQ(code(update_elem(*m, {}, {}, 0, fds)), EOPNOTSUPP);
  EXPECT_EQ(code(delete_elem(*m, {})), EOPNOTSUPP);
  EXPECT_EQ(code(next_key(*m, {}, {})), EOPNOTSUPP);
  EXPECT_EQ(code(lookup_and_delete_elem(*m, {}, {}, 0)), 524);
}

template <typename T>
T* in_host(const Map& m, std::uint64_t user) {
  return reinterpret_cast<T*>(arena_window(m) + static_cast<std::uint32_t>(user));
}

TEST(ArenaTest, ClientsAndProgramsSeeTheSamePages) {
  FakeHost host;
  constexpr std::uint64_t kUser = 0x123400000000 + 0x70000;
  auto m = make(host, arena(4, kUser)).value();
  EXPECT_EQ(arena_user_start(*m), kUser);
  EXPECT_EQ(arena_window(*m) % (std::uint64_t{1} << 32), 0u);
  EXPECT_EQ(m->ops().codegen.direct_value(*m, 0).value(), kUser);
  const std::uint64_t p = arena_alloc_pages(*m, 0, 2);
  EXPECT_EQ(p, kUser);
  auto* client = static_cast<std::uint64_t*>(mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, m->memory_fd(), 0));
  *in_host<std::uint64_t>(*m, p + kPage) = 42;
  EXPECT_EQ(client[kPage / 8], 42u);
  client[1] = 43;
  EXPECT_EQ(*in_host<std::uint64_t>(*m, p + 8), 43u);
  munmap(client, 4 * kPage);
}

TEST(ArenaTest, WithoutAnAddressPointersAreTheHosts) {
  FakeHost host;
  auto m = make(host, arena(4)).value();
  const std::uint64_t p = arena_alloc_pages(*m, 0, 1);
  ASSERT_NE(p, 0u);
  EXPECT_NE(static_cast<std::uint32_t>(p), 0u) << "no page at null";
  *reinterpret_cast<int*>(p) = 5;
  EXPECT_EQ(*in_host<int>(*m, p), 5);
}

TEST(ArenaTest, TheClientMayHaveItElsewhere) {
  FakeHost host;
  auto m = make(host, arena(4)).value();
  EXPECT_EQ(code(arena_set_user_start(*m, 0x7000000001)), EINVAL);
  EXPECT_EQ(code(arena_set_user_start(*m, 0x70fffff000)), EINVAL);
  EXPECT_EQ(code(arena_set_user_start(*m, 0x7000123000)), 0);
  const std::uint64_t p = arena_alloc_pages(*m, 0, 1);
  EXPECT_EQ(p, 0x7000123000u);
  *in_host<int>(*m, p) = 1;
  EXPECT_EQ(code(arena_set_user_start(*m, 0x7000456000)), EBUSY);
  auto fixed = make(host, arena(4, 0x1000)).value();
  EXPECT_EQ(code(arena_set_user_start(*fixed, 0x2000)), EBUSY);
}

TEST(ArenaTest, PagesAreGivenOutOnceAndComeBackAsZeros) {
  FakeHost host;
  auto m = make(host, arena(4)).value();
  const std::uint64_t start = arena_user_start(*m);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 0), 0u);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 5), 0u);
  EXPECT_EQ(arena_alloc_pages(*m, start + 1, 1), 0u);
  EXPECT_EQ(arena_alloc_pages(*m, start + kPage, 1), start + kPage);
  EXPECT_EQ(arena_alloc_pages(*m, start + kPage, 1), 0u) << "taken";
  EXPECT_EQ(arena_alloc_pages(*m, start + 3 * kPage, 2), 0u) << "past the end";
  EXPECT_EQ(arena_alloc_pages(*m, 0, 2), start + 2 * kPage);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 1), start);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 1), 0u);
  *in_host<int>(*m, start + kPage) = 7;
  arena_free_pages(*m, start + kPage, 1);
  arena_free_pages(*m, start + 100 * kPage, 1);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 1), start + kPage);
  EXPECT_EQ(*in_host<int>(*m, start + kPage), 0);
}

TEST(ArenaTest, AStrayLoadAfterFreeTakesNothing) {
  FakeHost host;
  auto m = make(host, arena(3)).value();
  const std::uint64_t start = arena_user_start(*m);
  ASSERT_EQ(arena_alloc_pages(*m, 0, 3), start);
  arena_free_pages(*m, start, 2);
  EXPECT_EQ(*in_host<int>(*m, start), 0);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 1), start);
  *in_host<int>(*m, start + kPage) = 5;  // somebody uses it
  EXPECT_EQ(arena_alloc_pages(*m, 0, 1), 0u);
}

TEST(ArenaTest, AStartThatIsBuiltInStays) {
  FakeHost host;
  auto m = make(host, arena(3)).value();
  arena_hold_start(*m);
  EXPECT_EQ(code(arena_set_user_start(*m, 0x7000456000)), EBUSY);
  EXPECT_EQ(m->ops().codegen.direct_value(*m, 8).value(), arena_user_start(*m) + 8);
}

TEST(ArenaTest, APageSomebodyTouchedIsTaken) {
  FakeHost host;
  auto m = make(host, arena(3)).value();
  const std::uint64_t start = arena_user_start(*m);
  const std::uint64_t before = m->memory_bytes();
  *in_host<int>(*m, start) = 1;
  EXPECT_EQ(m->memory_bytes(), before + kPage);
  EXPECT_EQ(arena_alloc_pages(*m, 0, 1), start + kPage);
}

TEST(ArenaTest, CreationSurvivesEveryFailingAllocation) {
  FakeHost host;
  for (std::int64_t nth = 0; nth < 20; ++nth) {
    FaultInjection fault(nth);
    auto m = make(host, arena(2));
    if (!fault.fired()) {
      EXPECT_TRUE(m.ok());
      EXPECT_GE(nth, 3);
      break;
    }
    EXPECT_EQ(m.error(), Errno::kNoMem);
  }
}

TEST(ArenaStressTest, NoPageIsGivenOutTwice) {
  FakeHost host;
  auto m = make(host, arena(64)).value();
  std::vector<std::thread> threads;
  for (std::uint32_t t = 1; t <= 3; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 400; ++i) {
        const std::uint64_t p = arena_alloc_pages(*m, 0, t);
        if (p == 0) continue;
        auto* word = in_host<std::uint32_t>(*m, p);
        EXPECT_EQ(*word, 0u);
        *word = t;
        std::this_thread::yield();
        EXPECT_EQ(*word, t);
        arena_free_pages(*m, p, t);
      }
    });
  for (auto& t : threads) t.join();
}

}  // namespace
}  // namespace ring3::maps
