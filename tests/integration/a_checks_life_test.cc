// behaviour.md A.4.9, F.1: who holds what, and what is left when holders go in any order.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "attach/link.h"
#include "object/rcu.h"
#include "runtime/runtime_impl.h"
#include "struct_ops/ops_link.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class StructOpsLife : public World {
 protected:
  std::size_t live() {
    (void)bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
    rcu::drain();
    return runtime_->impl().objects().live_count();
  }
  Ref<Object> find(ObjectKind kind, std::uint32_t id) {
    auto found = runtime_->impl().objects().find(kind, id);
    return found.ok() ? std::move(found).value() : Ref<Object>();
  }
};

TEST_F(StructOpsLife, AMapHoldsItsProgramsAndALinkItsMap) {
  const CalcValue v = both();
  const std::uint32_t add = bpf().prog_info(static_cast<long>(v.add)).id;
  const long map = ready_map(v);
  const std::uint32_t map_id = bpf().map_info(map).id;
  const long link = bpf().keep(bpf().link(map));
  bpf().close_all();
  EXPECT_EQ(call_add(2, 2), 4);
  EXPECT_TRUE(find(ObjectKind::kProg, add));
  EXPECT_TRUE(find(ObjectKind::kMap, map_id));
  EXPECT_EQ(bpf().link_info(link).struct_ops.map_id, map_id);
  bpf().close(link);
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_FALSE(find(ObjectKind::kMap, map_id));
  EXPECT_EQ(live(), 1u) << "the host's BTF";
  EXPECT_FALSE(find(ObjectKind::kProg, add));
}

TEST_F(StructOpsLife, AClassicMapOutlivesItsLoader) {
  const long map = bpf().ops_map("calc_ops", 0);
  const CalcValue v = both();
  ASSERT_EQ(bpf().update(map, &v), 0);
  const std::uint32_t id = bpf().map_info(map).id;
  bpf().close_all();
  EXPECT_EQ(call_add(1, 2), 3);
  const long again = bpf().fd_by_id(uapi::BPF_MAP_GET_FD_BY_ID, id);
  ASSERT_GT(again, 0);
  EXPECT_EQ(bpf().erase(again), 0);
  bpf().close_all();
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_EQ(live(), 1u);
}

TEST_F(StructOpsLife, UpdateLetsGoOfTheOldMap) {
  const long first = ready_map(), second = ready_map();
  const std::uint32_t first_id = bpf().map_info(first).id;
  const long link = bpf().link(first);
  bpf().close(first);
  ASSERT_TRUE(find(ObjectKind::kMap, first_id));
  ASSERT_EQ(bpf().link_update(link, second), 0);
  EXPECT_FALSE(find(ObjectKind::kMap, first_id));
  EXPECT_EQ(bpf().link_detach(link), 0);
  EXPECT_EQ(bpf().link_info(link).struct_ops.map_id, 0u);
}

/// Stands still inside a member until told to go on.
struct Gate {
  static inline std::mutex mutex;
  static inline std::condition_variable changed;
  static inline bool inside = false, open = false;
  static int pass() {
    std::unique_lock lock(mutex);
    inside = true;
    changed.notify_all();
    changed.wait(lock, [] { return open; });
    return 7;
  }
};

TEST_F(StructOpsLife, CallersInsideLeaveBeforeAnythingIsFreed) {
  Gate::inside = Gate::open = false;
  HostFunctions::swap = &Gate::pass;
  CalcValue v = both();
  v.sub = static_cast<std::uint64_t>(bpf().load({.text = "call host_swap\nr0 += 1\nexit", .member = kSub}));
  const long link = bpf().link(ready_map(v));
  ASSERT_GT(link, 0) << bpf().log();
  int result = 0;
  std::thread caller([&] { result = call_sub(0, 0); });
  {
    std::unique_lock lock(Gate::mutex);
    Gate::changed.wait(lock, [] { return Gate::inside; });
  }
  // Unregistered at once, while the caller is inside; its program and thunk are still there.
  bpf().close_all();
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_EQ(calc_.table.load(), nullptr);
  EXPECT_GT(runtime_->impl().objects().live_count(), 1u);
  {
    const std::lock_guard lock(Gate::mutex);
    Gate::open = true;
  }
  Gate::changed.notify_all();
  caller.join();
  EXPECT_EQ(result, 8);
  HostFunctions::swap = nullptr;
  EXPECT_EQ(live(), 1u);
}

TEST_F(StructOpsLife, ASleepableMemberIsCalledUnderAHoldInsteadOfASection) {
  CalcValue v;
  v.nap = static_cast<std::uint64_t>(
      bpf().load({.text = "r0 = *(u64 *)(r1 +0)\nr0 += 1\nexit", .member = kNap, .flags = uapi::BPF_F_SLEEPABLE}));
  const long link = bpf().link(ready_map(v));
  ASSERT_GT(link, 0) << bpf().log();
  StructOpsInstance* held = calc_.instance;
  ASSERT_TRUE(held->hold());
  bpf().close_all();
  rcu::drain();  // a grace period: nothing but the hold keeps the instance
  EXPECT_EQ(calc_.unregistered, 1);
  EXPECT_EQ(held->as<calc_ops>()->nap(41), 42);
  held->release();
  EXPECT_EQ(live(), 1u);
}

TEST_F(StructOpsLife, ALoaderMayStopAfterAnyCommand) {
  for (int commands = 0; commands <= 7; ++commands) {
    int left = commands;
    const auto next = [&left] { return left-- > 0; };
    long map = -1, add = -1, link = -1;
    if (next()) (void)bpf().user_btf();
    if (next()) map = bpf().ops_map("calc_ops", uapi::BPF_F_LINK);
    if (next()) add = bpf().load({.text = kAddText});
    CalcValue v;
    v.add = static_cast<std::uint64_t>(add);
    if (next()) {
      EXPECT_EQ(bpf().update(map, &v), 0);
    }
    if (next()) link = bpf().link(map);
    if (next()) {
      EXPECT_EQ(bpf().link_update(link, map), 0);
    }
    if (next()) {
      EXPECT_EQ(bpf().link_detach(link), 0);
    }
    bpf().close_all();
    EXPECT_EQ(live(), 1u) << commands;
    EXPECT_EQ(calc_.registered, calc_.unregistered) << commands;
    EXPECT_EQ(calc_.table.load(), nullptr);
  }
}

TEST_F(StructOpsLife, PollAndEpollSleepersAreWoken) {
  const long link = bpf().link(ready_map());
  auto object = find(ObjectKind::kLink, bpf().link_info(link).id);
  const int fd = static_cast<attach::Link&>(*object).poll_fd().value();
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event wanted{};
  ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted), 0);
  short polled = 0;
  std::uint32_t epolled = 0;
  std::thread poller([&] {
    pollfd p{fd, 0, 0};
    EXPECT_EQ(::poll(&p, 1, -1), 1);
    polled = p.revents;
  });
  std::thread epoller([&] {
    epoll_event event{};
    EXPECT_EQ(::epoll_wait(epoll, &event, 1, -1), 1);
    epolled = event.events;
  });
  EXPECT_EQ(bpf().link_detach(link), 0);
  poller.join();
  epoller.join();
  EXPECT_EQ(polled, POLLHUP);
  EXPECT_EQ(epolled, static_cast<std::uint32_t>(EPOLLHUP));
  ::close(epoll);
  ::close(fd);
}

TEST_F(StructOpsLife, TenThousandRegistrationsUnderCallingThreads) {
  constexpr int kRounds = 10'000, kThreads = 3;
  const long fd = ready_map();
  auto map = find(ObjectKind::kMap, bpf().map_info(fd).id);
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int t = 0; t < kThreads; ++t)
    callers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        ReadSection readers;
        if (const calc_ops* table = calc_.table.load(); table != nullptr) {
          EXPECT_EQ(table->add(7, 8), 15);
        }
      }
    });
  for (int i = 0; i < kRounds; ++i) {
    auto link = struct_ops::create_link(Ref<maps::Map>::share(static_cast<maps::Map*>(map.get())), 0, Birth{});
    ASSERT_TRUE(link.ok());
    ASSERT_TRUE((*link)->attach().ok());
    // Every third is detached, every third ejected, every third dropped.
    if (i % 3 == 0) {
      EXPECT_TRUE((*link)->detach().ok());
    }
    if (i % 3 == 1) {
      EXPECT_TRUE(calc_.attachment.load()->eject());
    }
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(calc_.registered, kRounds);
  EXPECT_EQ(calc_.unregistered, kRounds);
}

TEST_F(StructOpsLife, TablesComeAndGoWhileEveryCommandRuns) {
  constexpr int kRounds = 200;
  std::atomic<bool> stop{false};
  std::thread caller([&] {
    while (!stop) {
      ReadSection readers;
      if (const calc_ops* table = calc_.table.load(); table != nullptr) {
        EXPECT_EQ(table->add(7, 8), 15);
      }
    }
  });
  // A second client reads what it finds, by id, while the first replaces it.
  std::thread reader([&] {
    BpfClient other(*runtime_, *host_btf_);
    while (!stop) {
      for (std::uint32_t id = 0; (id = other.next_id(uapi::BPF_MAP_GET_NEXT_ID, id)) != 0;) {
        const long fd = other.fd_by_id(uapi::BPF_MAP_GET_FD_BY_ID, id);
        if (fd < 0) continue;
        CalcValue seen;
        EXPECT_EQ(other.lookup(fd, &seen), 0);
        EXPECT_TRUE(seen.state == 0 || seen.state == 3) << seen.state;
        other.close(fd);
      }
    }
  });
  long link = bpf().link(ready_map());
  for (int i = 0; i < kRounds; ++i) {
    const long next = bpf().ops_map("calc_ops", uapi::BPF_F_LINK);
    const CalcValue v = both();
    EXPECT_EQ(bpf().update(next, &v), 0);
    EXPECT_EQ(bpf().link_update(link, next), 0);
    bpf().keep(link);
    bpf().close_all();
    if (i % 50 == 49) {
      ::close(static_cast<int>(link));
      link = bpf().link(ready_map());
    }
  }
  stop = true;
  caller.join();
  reader.join();
  ::close(static_cast<int>(link));
  bpf().close_all();
  EXPECT_EQ(live(), 1u);
}

}  // namespace
}  // namespace ring3::test
