#include "verifier/state/arena.h"

#include <gtest/gtest.h>

#include "verifier/state/path_state.h"

namespace ring3::verifier {
namespace {

TEST(WalkArenaTest, HandsOutPlacesThatDoNotOverlap) {
  ChunkCache cache;
  for (ChunkCache* from : {static_cast<ChunkCache*>(nullptr), &cache}) {
    Arena arena(from);
    std::vector<std::pair<std::byte*, std::size_t>> places;
    for (std::size_t size : {1u, 7u, 64u, 4000u, 100u, 65'536u, 70'000u, 3u, 1'200u})
      for (std::size_t align : {1u, 8u, 16u}) {
        auto* place = static_cast<std::byte*>(arena.allocate(size, align));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(place) % align, 0u);
        std::fill(place, place + size, std::byte{0xa5});
        for (const auto& [other, bytes] : places) EXPECT_TRUE(place + size <= other || other + bytes <= place);
        places.emplace_back(place, size);
      }
    EXPECT_GE(arena.bytes(), 3u * 140'000);
  }
}

TEST(ChunkCacheTest, OneArenaLeavesItsChunksToTheNextUpToALimit) {
  ChunkCache cache(2 * ChunkCache::kChunkBytes);
  {
    Arena arena(&cache);
    for (int i = 0; i < 4; ++i) (void)arena.allocate(ChunkCache::kChunkBytes - 64, 8);
    (void)arena.allocate(3 * ChunkCache::kChunkBytes, 8);  // not one of its size
    EXPECT_EQ(cache.chunks(), 0u);
  }
  EXPECT_EQ(cache.chunks(), 2u);
  Arena next(&cache);
  (void)next.allocate(8, 8);
  EXPECT_EQ(cache.chunks(), 1u);
}

TEST(FramePoolTest, ACopyOfAFrameIsItsOwn) {
  ChunkCache cache;
  FramePool pool(&cache);
  FramePtr frame = pool.make();
  frame->callsite = 7;
  frame->regs[3].off = -8;
  frame->stack.resize(3);
  frame->stack[2].bytes.fill(SlotByte::kMisc);
  const FramePtr copy = pool.copy(*frame);
  frame->stack[2].bytes.fill(SlotByte::kZero);
  frame->stack.resize(40);
  EXPECT_EQ(copy->callsite, 7u);
  EXPECT_EQ(copy->regs[3].off, -8);
  ASSERT_EQ(copy->stack.size(), 3u);
  EXPECT_TRUE(copy->stack[2].is_all(SlotByte::kMisc));
}

TEST(FramePoolTest, AFrameThatComesBackIsMadeNew) {
  FramePool pool;
  {
    const FramePtr used = pool.make();
    used->regs[1].off = 5;
    used->stack.resize(9);
  }
  const std::uint64_t bytes = pool.bytes();
  const FramePtr again = pool.make();
  EXPECT_EQ(again->regs[1].off, 0);
  EXPECT_TRUE(again->stack.empty());
  EXPECT_EQ(pool.bytes(), bytes) << "no new memory";
}

TEST(StackSlotTest, BytesAreLookedAtTogether) {
  StackSlot slot;
  EXPECT_TRUE(slot.is_all(SlotByte::kInvalid));
  EXPECT_FALSE(slot.holds_anything());
  slot.bytes[3] = SlotByte::kZero;
  EXPECT_TRUE(slot.holds_anything());
  EXPECT_FALSE(slot.has_object());
  for (const SlotByte object : {SlotByte::kDynptr, SlotByte::kIter}) {
    slot.bytes.fill(SlotByte::kMisc);
    slot.bytes[0] = object;
    EXPECT_TRUE(slot.has_object());
    EXPECT_FALSE(slot.is_object(object));
    slot.bytes.fill(object);
    EXPECT_TRUE(slot.is_object(object));
  }
}

}  // namespace
}  // namespace ring3::verifier
