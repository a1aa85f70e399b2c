#include "maps/kinds/hash_key.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <random>
#include <vector>

namespace ring3::maps {
namespace {

using Key = std::array<std::uint32_t, 10>;

template <typename T>
std::uint32_t hash_as(const Key& key, std::uint64_t seed) {
  return T(key.data()).hash(seed);
}

std::uint32_t hash_of(const Key& key, std::uint32_t bytes, std::uint64_t seed) {
  std::uint32_t hash = 0;
  EXPECT_TRUE(with_hash_key(bytes, [&]<typename T>() { hash = hash_as<T>(key, seed); }));
  return hash;
}

/// How much the number of keys a bucket has differs from what chance gives; about 1 for a good hash.
double spread(std::uint32_t bytes, std::uint64_t seed, const std::function<Key(std::uint32_t)>& key) {
  constexpr std::uint32_t kKeys = 1 << 14, kBuckets = 1 << 13;
  std::vector<std::uint32_t> chains(kBuckets);
  for (std::uint32_t i = 0; i < kKeys; ++i) ++chains[hash_of(key(i), bytes, seed) & (kBuckets - 1)];
  const double mean = double{kKeys} / kBuckets;
  double sum = 0;
  for (const std::uint32_t n : chains) sum += (n - mean) * (n - mean) / mean;
  return sum / (kBuckets - 1);
}

/// A value of chi-square for 8191 buckets is within five standard deviations (0.016 each) nearly always.
constexpr double kWorst = 1.08;

TEST(HashKeyTest, KeysThatLookAlikeSpreadAsByChance) {
  std::mt19937_64 random(7);
  for (const std::uint64_t seed : {std::uint64_t{0}, random(), random()})
    for (const std::uint32_t bytes : {12u, 16u, 20u, 24u, 28u, 32u, 36u, 40u})
      for (std::uint32_t field = 0; field < bytes / 4; ++field)
        for (const std::uint32_t stride : {1u, 256u, 65536u}) {
          const auto counted = [&](std::uint32_t i) {
            Key key{};
            key[field] = i * stride;
            return key;
          };
          EXPECT_LT(spread(bytes, seed, counted), kWorst) << bytes << " bytes, field " << field << ", stride " << stride << ", seed " << seed;
        }
}

/// Addresses and ports of both ends: few values each, all together.
TEST(HashKeyTest, FlowsSpreadAsByChance) {
  std::mt19937_64 random(11);
  for (const std::uint64_t seed : {std::uint64_t{0}, random(), random()})
    for (const std::uint32_t bytes : {12u, 16u, 36u, 40u}) {
      const auto flow = [&](std::uint32_t i) {
        Key key{};
        const std::uint32_t last = bytes / 4 - 1;
        key[0] = 0x0a000000 | (i & 15);
        key[last / 2] = 0x0a000100 | (i >> 4 & 15);
        key[last] = (1024 + (i >> 8)) << 16 | 443;
        return key;
      };
      EXPECT_LT(spread(bytes, seed, flow), kWorst) << bytes << " bytes, seed " << seed;
    }
}

TEST(HashKeyTest, OneBitMovesHalfOfThem) {
  std::mt19937_64 random(3);
  for (const std::uint32_t bytes : {12u, 16u, 20u, 40u})
    for (std::uint32_t bit = 0; bit < 8 * bytes; ++bit) {
      int moved = 0;
      constexpr int kTrials = 200;
      for (int trial = 0; trial < kTrials; ++trial) {
        Key key;
        for (std::uint32_t& word : key) word = static_cast<std::uint32_t>(random());
        const std::uint64_t seed = random();
        const std::uint32_t before = hash_of(key, bytes, seed);
        key[bit / 32] ^= 1u << bit % 32;
        moved += __builtin_popcount(before ^ hash_of(key, bytes, seed));
      }
      EXPECT_NEAR(static_cast<double>(moved) / kTrials, 16, 3) << bytes << " bytes, bit " << bit;
    }
}

TEST(HashKeyTest, OnlySizesOfItsOwn) {
  for (const std::uint32_t bytes : {0u, 1u, 5u, 10u, 44u, 64u}) EXPECT_FALSE(with_hash_key(bytes, []<typename>() {})) << bytes;
}

}  // namespace
}  // namespace ring3::maps
