// Where a map's memory comes from, by its size and by what is to happen to it.
#include "maps/map_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace ring3::maps {
namespace {

bool zeroed(const MapMemory& m) {
  return std::all_of(m.data(), m.data() + m.bytes(), [](std::byte b) { return b == std::byte{0}; });
}

bool aligned(const MapMemory& m, std::uint64_t to) { return reinterpret_cast<std::uintptr_t>(m.data()) % to == 0; }

TEST(MapMemoryTest, WhatFitsInAPageIsOfTheHeapInCacheLinesOfItsOwn) {
  for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{8}, std::uint64_t{64}, std::uint64_t{65}, std::uint64_t{page_bytes()}}) {
    MapMemory m = MapMemory::zeroed(bytes).value();
    EXPECT_EQ(m.bytes(), round_up(bytes, 64));
    EXPECT_TRUE(aligned(m, 64));
    EXPECT_TRUE(zeroed(m));
    EXPECT_EQ(m.fd(), -1);
    std::fill_n(m.data(), m.bytes(), std::byte{0xff});  // the next of this size is zero all the same
  }
}

TEST(MapMemoryTest, MoreIsWholePages) {
  const MapMemory m = MapMemory::zeroed(page_bytes() + 1).value();
  EXPECT_EQ(m.bytes(), 2 * page_bytes());
  EXPECT_TRUE(aligned(m, page_bytes()));
  EXPECT_TRUE(zeroed(m));
}

TEST(MapMemoryTest, WhatIsToBeProtectedIsPagesHoweverSmall) {
  MapMemory m = MapMemory::pages(8).value();
  EXPECT_EQ(m.bytes(), page_bytes());
  *m.data() = std::byte{7};
  ASSERT_TRUE(m.protect().ok());
  EXPECT_EQ(*m.data(), std::byte{7});
  EXPECT_DEATH(*const_cast<volatile std::byte*>(m.data()) = std::byte{8}, "");
}

TEST(MapMemoryTest, MovesWithWhoGivesItBack) {
  MapMemory small = MapMemory::zeroed(8).value(), large = MapMemory::pages(8).value();
  *small.data() = std::byte{1};
  *large.data() = std::byte{2};
  std::swap(small, large);
  EXPECT_EQ(*small.data(), std::byte{2});
  EXPECT_EQ(*large.data(), std::byte{1});
  const MapMemory last = std::move(small);
  EXPECT_EQ(*last.data(), std::byte{2});
}

TEST(MapMemoryTest, MoreThanThereIsIsRefused) {
  EXPECT_EQ(MapMemory::zeroed(UINT64_MAX).error(), Errno::kNoMem);
  EXPECT_EQ(MapMemory::pages(std::uint64_t{1} << 60).error(), Errno::kNoMem);
}

}  // namespace
}  // namespace ring3::maps
