// The cache with its native policy, and what clients may say to it. Modules come in tests/integration.
#include "cache.h"

#include <gtest/gtest.h>

#include "cached_policy_btf.h"
#include "commands.h"

namespace cached {
namespace {

class CacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    runtime_ = ring3::Runtime::create({.name = "cached", .btf = cached_policy_btf}).value();
    ASSERT_TRUE(cache_.seat().offer(*runtime_).ok());
  }
  std::string ask(std::vector<std::string_view> words) {
    std::string out;
    open_ = execute(cache_, words, out);
    return out;
  }

  Cache cache_{3};
  std::unique_ptr<ring3::Runtime> runtime_;
  bool open_ = true;
};

TEST_F(CacheTest, FallbackEvictsTheLeastRecentlyUsed) {
  for (const char* key : {"a", "b", "c"}) cache_.set(key, key);
  EXPECT_NE(cache_.get("a"), nullptr);
  cache_.set("d", "d");
  EXPECT_EQ(cache_.get("b"), nullptr);
  EXPECT_EQ(*cache_.get("a"), "a");
  cache_.set("c", "again");
  cache_.set("e", "e");
  EXPECT_EQ(cache_.get("d"), nullptr);
  EXPECT_EQ(*cache_.get("c"), "again");
  EXPECT_EQ(cache_.size(), 3u);
}

TEST_F(CacheTest, DescribesItself) {
  cache_.set("a", "1");
  cache_.get("a");
  cache_.get("b");
  const std::string text = cache_.describe();
  for (const char* line : {"objects:1\r\n", "hits:1\r\n", "misses:1\r\n", "hit_ratio:0.5000\r\n", "policy:native_lru\r\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
}

TEST_F(CacheTest, Commands) {
  EXPECT_EQ(ask({"ping"}), "+PONG\r\n");
  EXPECT_EQ(ask({"PING", "x"}), "$1\r\nx\r\n");
  EXPECT_EQ(ask({"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(ask({"Set", "k", "v"}), "+OK\r\n");
  EXPECT_EQ(ask({"GET", "k"}), "$1\r\nv\r\n");
  EXPECT_EQ(ask({"DBSIZE"}), ":1\r\n");
  EXPECT_EQ(ask({"DEL", "k", "k", "x"}), ":1\r\n");
  EXPECT_EQ(ask({"CONFIG", "GET", "save"}), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(ask({"CONFIG", "GET", "maxmemory"}), "*0\r\n");
  EXPECT_EQ(ask({"COMMAND", "DOCS"}), "*0\r\n");
  EXPECT_TRUE(open_);
  EXPECT_EQ(ask({"QUIT"}), "+OK\r\n");
  EXPECT_FALSE(open_);
}

TEST_F(CacheTest, WrongCommandsAreAnswered) {
  EXPECT_EQ(ask({}), "");
  EXPECT_EQ(ask({"NOPE"}), "-ERR unknown command 'NOPE'\r\n");
  EXPECT_EQ(ask({"a\r\n+OK"}), "-ERR unknown command 'a??+OK'\r\n");
  EXPECT_EQ(ask({"GET"}), "-ERR wrong number of arguments for 'GET'\r\n");
  EXPECT_EQ(ask({"SET", "k", "v", "EX", "1"}), "-ERR wrong number of arguments for 'SET'\r\n");
  EXPECT_EQ(ask({"CONFIG", "SET", "save", ""}), "-ERR only CONFIG GET name is known\r\n");
  EXPECT_TRUE(open_);
}

}  // namespace
}  // namespace cached
