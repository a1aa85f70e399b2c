#include "fuse/id_map.h"

#include <gtest/gtest.h>

namespace ring3::fuse {
namespace {

TEST(IdMapTest, OneUserOnly) {
  const IdMap map = IdMap::parse("         0       1000          1\n");
  EXPECT_EQ(map.to_host(0), 1000u);
  EXPECT_EQ(map.from_host(1000), 0u);
  EXPECT_EQ(map.to_host(5), 65534u);
  EXPECT_TRUE(map.has(0));
  EXPECT_FALSE(map.has(1000));
  EXPECT_EQ(map.from_host(0), 65534u);
}

TEST(IdMapTest, NoMapIsNoChange) {
  const IdMap map = IdMap::parse("");
  EXPECT_EQ(map.to_host(4711), 4711u);
  EXPECT_EQ(IdMap::parse("0 0 4294967295\n").from_host(1000), 1000u);
}

}  // namespace
}  // namespace ring3::fuse
