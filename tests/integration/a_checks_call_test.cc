// behaviour.md A.4.9, A.6: calls while tables come and go.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "object/rcu.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

/// What a running member reaches through host_swap().
struct Swap {
  static inline BpfClient* client = nullptr;
  static inline long link = 0, maps[2] = {};
  static inline int next = 0;
  static int once() {
    next ^= 1;
    return static_cast<int>(client->link_update(link, maps[next]));
  }
};

TEST_F(StructOps, A_31_MemberReplacesItselfWhileRunning) {
  const std::string_view swapping = "call host_swap\nexit";
  for (long& map : Swap::maps) {
    CalcValue v = both();
    const long program = bpf().load({.text = swapping, .member = kSub});
    ASSERT_GT(program, 0) << bpf().log();
    v.sub = static_cast<std::uint64_t>(program);
    map = ready_map(v);
  }
  Swap::client = &bpf();
  Swap::next = 0;
  Swap::link = bpf().link(Swap::maps[0]);
  ASSERT_GT(Swap::link, 0);
  HostFunctions::swap = &Swap::once;
  std::atomic<bool> stop{false};
  std::thread caller([&] {
    while (!stop) EXPECT_EQ(call_add(20, 1), 21);
  });
  for (int i = 0; i < 200; ++i) EXPECT_EQ(call_sub(0, 0), 0);
  stop = true;
  caller.join();
  EXPECT_EQ(calc_.updated, 200);

  // The same with a table that dies with the replacement: nobody else holds it.
  const long last = ready_map();
  Swap::maps[1] = last;
  Swap::next = 0;
  ASSERT_EQ(bpf().link_update(Swap::link, Swap::maps[0]), 0);
  bpf().close(Swap::maps[0]);
  EXPECT_EQ(call_sub(0, 0), 0);
  HostFunctions::swap = nullptr;
  rcu::drain();
  EXPECT_EQ(call_add(1, 1), 2);
}

TEST_F(StructOps, A_40_ManyCallersWhileTablesComeAndGo) {
  constexpr int kThreads = 100;
  const long map = ready_map();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> calls{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      while (!stop) {
        ReadSection readers;
        const calc_ops* table = calc_.table.load();
        if (table == nullptr) continue;
        EXPECT_EQ(table->add(7, 8), 15);
        calls.fetch_add(1, std::memory_order_relaxed);
      }
    });
  // Rounds instead of seconds; RING3_STRESS_SECONDS asks for the specification's ten.
  const char* seconds = std::getenv("RING3_STRESS_SECONDS");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds != nullptr ? std::atoi(seconds) : 0);
  int rounds = 0;
  while (rounds < 50 || std::chrono::steady_clock::now() < end) {
    const long link = bpf().link(map);
    ASSERT_GT(link, 0);
    bpf().close(link);
    ++rounds;
  }
  // At least one call was seen while registered, however the threads were scheduled.
  const long link = bpf().link(map);
  while (calls == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  bpf().close(link);
  EXPECT_EQ(calc_.unregistered, rounds + 1);
}

TEST_F(StructOps, NarrowResultsAreCutAsDeclared) {
  CalcValue v;
  v.add = static_cast<std::uint64_t>(bpf().load({.text = "r0 = 0x1ffffffff ll\nexit", .member = kAdd}));
  const long map = bpf().ops_map("calc_ops", 0);
  ASSERT_EQ(bpf().update(map, &v), 0) << bpf().log();
  EXPECT_EQ(call_add(0, 0), -1);
}

TEST_F(StructOps, TypedPointFallsBackAndComesBack) {
  EXPECT_FALSE(policy_.has_instance());
  EXPECT_EQ(policy_.enter()->choose(5), 5u);
  struct alignas(64) {
    std::uint64_t header[8] = {}, choose = 0, optional = 0;
    char name[TEST_NAME_LEN] = "seven";
    std::uint64_t tail[4] = {};
  } value;
  const long map = bpf().ops_map("policy_ops", uapi::BPF_F_LINK);
  EXPECT_EQ(bpf().update(map, &value), -EINVAL);
  EXPECT_NE(log_.take().find("member choose is required"), std::string::npos);
  const long program = bpf().load({.text = "r0 = *(u64 *)(r1 +0)\nr0 *= 7\nexit", .type = "policy_ops"});
  ASSERT_GT(program, 0) << bpf().log();
  value.choose = static_cast<std::uint64_t>(program);
  ASSERT_EQ(bpf().update(map, &value), 0) << log_.take();
  const long link = bpf().link(map);
  ASSERT_GT(link, 0);
  EXPECT_TRUE(policy_.has_instance());
  {
    auto p = policy_.enter();
    EXPECT_EQ(p->choose(6), 42u);
    EXPECT_EQ(p->optional(6), 0u);
    EXPECT_STREQ(p->name, "seven");
  }
  EXPECT_EQ(bpf().link(map), -EBUSY);
  {
    auto hold = policy_.hold();
    EXPECT_TRUE(hold);
    EXPECT_TRUE(policy_.eject());
    ReadSection readers;
    EXPECT_EQ(hold.get()->choose(2), 14u);
  }
  EXPECT_FALSE(policy_.eject());
  EXPECT_EQ(policy_.enter()->choose(5), 5u);
}

/// A host that found fault with one instance does not take out the next one.
TEST_F(StructOps, TypedPointEjectsTheOneThatIsMeant) {
  struct alignas(64) {
    std::uint64_t header[8] = {}, choose = 0, optional = 0;
    char name[TEST_NAME_LEN] = "seven";
    std::uint64_t tail[4] = {};
  } value;
  const long program = bpf().load({.text = "r0 = *(u64 *)(r1 +0)\nr0 *= 7\nexit", .type = "policy_ops"});
  ASSERT_GT(program, 0) << bpf().log();
  value.choose = static_cast<std::uint64_t>(program);
  const long old_map = bpf().ops_map("policy_ops", uapi::BPF_F_LINK), new_map = bpf().ops_map("policy_ops", uapi::BPF_F_LINK);
  ASSERT_EQ(bpf().update(old_map, &value), 0) << log_.take();
  ASSERT_EQ(bpf().update(new_map, &value), 0) << log_.take();
  const long link = bpf().link(old_map);
  ASSERT_GT(link, 0);
  {
    auto old_one = policy_.enter();
    ASSERT_EQ(bpf().link_update(link, new_map), 0) << log_.take();
    EXPECT_FALSE(policy_.eject(*old_one));
    EXPECT_TRUE(policy_.has_instance());
  }
  auto new_one = policy_.enter();
  EXPECT_TRUE(policy_.eject(*new_one));
  EXPECT_FALSE(policy_.has_instance());
  EXPECT_FALSE(policy_.eject(*new_one));
  EXPECT_EQ(bpf().link_info(link).struct_ops.map_id, 0u);
  EXPECT_FALSE(policy_.eject(*policy_.enter())) << "the fallback";
}

}  // namespace
}  // namespace ring3::test
