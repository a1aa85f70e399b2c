#include "prog/log_buffer.h"

#include <gtest/gtest.h>

namespace ring3::prog {
namespace {

using namespace std::string_literals;

TEST(LogBufferTest, KeepsEverythingThatFits) {
  LogBuffer log(1, 8, true);
  log.write("abc");
  log.write("defg");
  EXPECT_EQ(log.image(), "abcdefg\0"s);
  EXPECT_EQ(log.true_size(), 8u);
  EXPECT_FALSE(log.truncated());
}

TEST(LogBufferTest, RollingModeKeepsTheTail) {
  LogBuffer log(1, 5, true);
  for (const char* part : {"ab", "cd", "ef", "gh", "ij", "kl"}) log.write(part);
  EXPECT_EQ(log.image(), "ijkl\0"s);
  EXPECT_EQ(log.true_size(), 13u);
  EXPECT_TRUE(log.truncated());
}

TEST(LogBufferTest, RollingModeTakesALineLongerThanTheBuffer) {
  LogBuffer log(1, 4, true);
  log.write("abcdefghij");
  EXPECT_EQ(log.image(), "hij\0"s);
}

TEST(LogBufferTest, FixedModeKeepsTheHead) {
  LogBuffer log(1 | verifier::kLogFixed, 5, true);
  log.write("abc");
  log.write("defg");
  log.write("h");
  EXPECT_EQ(log.image(), "abcd\0"s);
  EXPECT_EQ(log.true_size(), 9u);
  EXPECT_TRUE(log.truncated());
}

TEST(LogBufferTest, LevelWithoutBufferReportsTheNeededSize) {
  LogBuffer log(2, 0, false);
  log.write("twelve bytes");
  EXPECT_EQ(log.image(), "");
  EXPECT_EQ(log.true_size(), 13u);
  EXPECT_FALSE(log.truncated());
}

TEST(LogBufferTest, OneByteHoldsOnlyTheNul) {
  LogBuffer log(1, 1, true);
  EXPECT_FALSE(log.truncated());
  log.write("x");
  EXPECT_EQ(log.image(), "\0"s);
  EXPECT_TRUE(log.truncated());
}

TEST(LogBufferTest, NoLevelCountsNothing) {
  LogBuffer log;
  log.write("text");
  EXPECT_EQ(log.true_size(), 0u);
}

TEST(LogBufferTest, AttributeRules) {
  EXPECT_TRUE(LogBuffer::check_attr(0, 0, false).ok());
  EXPECT_TRUE(LogBuffer::check_attr(1, 0, false).ok());
  EXPECT_TRUE(LogBuffer::check_attr(15, 4096, true).ok());
  EXPECT_EQ(LogBuffer::check_attr(1, 4096, false).error(), Errno::kInval);
  EXPECT_EQ(LogBuffer::check_attr(1, 0, true).error(), Errno::kInval);
  EXPECT_EQ(LogBuffer::check_attr(0, 4096, true).error(), Errno::kInval);
  EXPECT_EQ(LogBuffer::check_attr(16, 4096, true).error(), Errno::kInval);
  EXPECT_EQ(LogBuffer::check_attr(1, UINT32_MAX >> 2, true).ok(), true);
  EXPECT_EQ(LogBuffer::check_attr(1, (UINT32_MAX >> 2) + 1, true).error(), Errno::kInval);
}

}  // namespace
}  // namespace ring3::prog
