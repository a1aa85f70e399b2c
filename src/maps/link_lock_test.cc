#include "maps/link_lock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ring3::maps {
namespace {

struct Thing {
  std::uint64_t number;
};
using Lock = LinkLock<Thing>;

TEST(LinkLockTest, TheAddressIsKeptAndMayChange) {
  Thing a{1}, b{2};
  std::atomic<Thing*> word{&a};
  LockWaiters waiters;
  EXPECT_EQ(Lock::take(word, waiters), &a);
  EXPECT_TRUE(Lock::held(word.load()));
  EXPECT_EQ(Lock::address(word.load()), &a) << "who only reads still finds the way";
  Lock::give_back(word, &b, waiters);
  EXPECT_EQ(word.load(), &b);
  EXPECT_EQ(Lock::take(word, waiters), &b);
  Lock::give_back(word, nullptr, waiters);
  EXPECT_EQ(Lock::take(word, waiters), nullptr);
  Lock::give_back(word, nullptr, waiters);
  EXPECT_FALSE(Lock::held(word.load()));
}

// More threads than processors, and holders that give their processor away: sleepers of several locks meet in one place to wait.
TEST(LinkLockTest, StressNobodyIsLostAmongSleepersOfOtherLocks) {
  constexpr std::uint64_t kThreads = 6, kTurns = 4000, kLocks = 3;
  std::atomic<Thing*> words[kLocks] = {};
  std::uint64_t plain[kLocks] = {};  // each by the lock of its index
  LockWaiters waiters;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kTurns; ++i) {
        const std::uint64_t at = (i + t) % kLocks;
        Lock::take(words[at], waiters);
        const std::uint64_t seen = plain[at];
        if (i % 16 == 0) std::this_thread::yield();
        plain[at] = seen + 1;
        Lock::give_back(words[at], nullptr, waiters);
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(plain[0] + plain[1] + plain[2], kThreads * kTurns);
}

}  // namespace
}  // namespace ring3::maps
