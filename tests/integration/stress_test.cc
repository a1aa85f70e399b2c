// A policy under pressure: replaced ten thousand times while it runs, interrupted by signals while it faults, forked under.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "object/rcu.h"
#include "object/tsan.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class Stress : public World {
 protected:
  /// A READY map of policy_ops whose choose() is `text`.
  long policy(std::string_view text, const char* name) {
    struct alignas(64) {
      std::uint64_t header[8] = {}, choose = 0, optional = 0;
      char name[TEST_NAME_LEN] = {};
      std::uint64_t tail[4] = {};
    } value;
    const long program = bpf().load({.text = text, .type = "policy_ops"});
    EXPECT_GT(program, 0) << bpf().log();
    value.choose = static_cast<std::uint64_t>(program);
    std::strncpy(value.name, name, sizeof value.name - 1);
    const long map = bpf().ops_map("policy_ops", uapi::BPF_F_LINK);
    EXPECT_EQ(bpf().update(map, &value), 0) << log_.take();
    return map;
  }
  __u64 choose(__u64 seed) { return policy_.enter()->choose(seed); }
};

TEST_F(Stress, TenThousandReplacesOfARunningPolicy) {
  constexpr int kReplaces = 10'000;
  const long maps[] = {policy("r0 = *(u64 *)(r1 +0)\nr0 += 1\nexit", "one"), policy("r0 = *(u64 *)(r1 +0)\nr0 += 2\nexit", "two")};
  const long link = bpf().link(maps[0]);
  ASSERT_GT(link, 0);
  const std::uint32_t link_id = bpf().link_info(link).id;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> calls{0}, wrong{0};
  std::thread callers[2];
  for (std::thread& caller : callers)
    caller = std::thread([&] {
      while (!stop) {
        auto table = policy_.enter();
        const __u64 answer = table->choose(40);
        // The answer is that of the table that was entered, whatever has come since.
        if (answer != (table->name[0] == 'o' ? 41u : 42u)) ++wrong;
        calls.fetch_add(1, std::memory_order_relaxed);
      }
    });
  int failed = 0;
  for (int i = 1; i <= kReplaces; ++i) failed += bpf().link_update(link, maps[i % 2]) != 0 ? 1 : 0;
  while (calls == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(bpf().link_info(link).id, link_id);
  EXPECT_EQ(choose(40), 41u);
  bpf().close_all();
  rcu::drain();
  EXPECT_EQ(runtime_->impl().objects().live_count(), 1u) << "the host's BTF";
}

volatile std::sig_atomic_t signals_seen = 0;
void count_signal(int) { signals_seen = signals_seen + 1; }

TEST_F(Stress, SignalsWhileProgramsFault) {
  constexpr std::string_view kReadAt =
      "r3 = *(u64 *)(r1 +0)\nr1 = r10\nr1 += -8\n*(u64 *)(r10 -8) = 7\nr2 = 8\ncall bpf_probe_read_kernel\n"
      "r0 = *(u64 *)(r10 -8)\nexit";
  const long link = bpf().link(policy(kReadAt, "reader"));
  ASSERT_GT(link, 0);
  struct sigaction counting = {}, before = {};
  counting.sa_handler = count_signal;
  ASSERT_EQ(::sigaction(SIGUSR1, &counting, &before), 0);
  signals_seen = 0;
  const __u64 there = 0x1234567890abcdef;
  std::atomic<bool> stop{false};
  const pthread_t target = ::pthread_self();
  std::thread storm([&] {
    while (!stop) {
      ::pthread_kill(target, SIGUSR1);
      std::this_thread::yield();
    }
  });
  int wrong = 0;
  for (int i = 0; i < 20'000 || signals_seen < 500; ++i) {
    if (choose(reinterpret_cast<std::uintptr_t>(&there)) != there) ++wrong;
    if (choose(16) != 0) ++wrong;  // nothing is there: the read fails and leaves zeros
  }
  stop = true;
  storm.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(signals_seen, 500);
}

#if !defined(RING3_TSAN)  // which does not follow a child of a process with threads
/// docs/host-api.md: a child may call what is registered, and nothing else.
TEST_F(Stress, AForkedChildGoesOnCalling) {
  const long link = bpf().link(policy("r0 = *(u64 *)(r1 +0)\nr0 += 1\nexit", "one"));
  ASSERT_GT(link, 0);
  std::atomic<bool> stop{false};
  std::thread caller([&] {
    while (!stop) choose(1);
  });
  for (int i = 0; i < 50; ++i) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      int wrong = 0;
      for (__u64 n = 0; n < 1000; ++n) wrong += choose(n) == n + 1 ? 0 : 1;
      ::_exit(wrong == 0 ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
    EXPECT_EQ(choose(5), 6u);
  }
  stop = true;
  caller.join();
  // The parent is as it was: a replaced table dies after its readers.
  ASSERT_EQ(bpf().link_update(link, policy("r0 = 9\nexit", "nine")), 0);
  rcu::drain();
  EXPECT_EQ(choose(1), 9u);
}
#endif

}  // namespace
}  // namespace ring3::test
