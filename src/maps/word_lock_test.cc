#include "maps/word_lock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ring3::maps {
namespace {

TEST(WordLockTest, TheWordIsZeroWhenFree) {
  std::uint32_t word = 0;
  word_lock(&word);
  EXPECT_EQ(word, 1u);
  word_unlock(&word);
  EXPECT_EQ(word, 0u);
}

/// More threads than cores, and holders that lose their core: all who slept are woken.
TEST(WordLockTest, NobodyIsForgotten) {
  constexpr int kThreads = 8, kTurns = 4000;
  std::uint32_t word = 0;
  long counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kTurns; ++i) {
        word_lock(&word);
        const long seen = counter;
        if ((i + t) % 64 == 0) std::this_thread::yield();
        counter = seen + 1;
        word_unlock(&word);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, long{kThreads} * kTurns);
  word_lock(&word);
  word_unlock(&word);
  EXPECT_EQ(word & 0xffu, 0u) << "free, whoever thinks that somebody sleeps";
}

}  // namespace
}  // namespace ring3::maps
