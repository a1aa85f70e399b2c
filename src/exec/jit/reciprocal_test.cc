#include "exec/jit/reciprocal.h"

#include <gtest/gtest.h>

namespace ring3::exec::jit {
namespace {

std::uint64_t divide(std::uint64_t n, const Reciprocal& r, unsigned width) {
  return static_cast<std::uint64_t>((static_cast<Wide>(n >> r.before) * r.factor) >> (width + r.shift));
}

bool is_power_of_two(std::uint64_t d) { return (d & (d - 1)) == 0; }

/// Every dividend of 12 bits by every divisor, with a product of 12 bits as well: the argument does not depend on width.
TEST(ReciprocalTest, IsExactForEveryDividendOfTwelveBits) {
  unsigned found = 0;
  for (std::uint64_t d = 3; d < 4096; ++d) {
    if (is_power_of_two(d)) continue;
    const auto r = reciprocal(d, 12, 12);
    if (!r) continue;
    ++found;
    for (std::uint64_t n = 0; n < 4096; ++n) ASSERT_EQ(divide(n, *r, 12), n / d) << n << " / " << d;
  }
  EXPECT_GT(found, 2500u);
}

TEST(ReciprocalTest, IsExactAroundMultiplesOfSixtyFourBits) {
  const std::uint64_t divisors[] = {3, 5, 6, 7, 9, 10, 11, 12, 14, 25, 60, 100, 125, 625, 1000, 3600, 65535, 65537, 641, 274177,
                                    1000000007, 0x7fffffff, 0xffffffff};
  for (const std::uint64_t d : divisors)
    for (const unsigned bits : {32u, 64u}) {
      const auto r = reciprocal(d, bits, 64);
      if (!r) continue;
      const std::uint64_t largest = bits == 64 ? UINT64_MAX : UINT32_MAX;
      for (const std::uint64_t q : {std::uint64_t{0}, std::uint64_t{1}, largest / d / 3, largest / d - 1, largest / d})
        for (std::uint64_t n : {q * d, q * d + d - 1, q * d - 1, largest})
          if (n <= largest) {
            EXPECT_EQ(divide(n, *r, 64), n / d) << n << " / " << d;
          }
    }
}

TEST(ReciprocalTest, EveryDivisorHasOneForDividendsOfHalfTheWidth) {
  for (std::uint64_t d = 3; d < 100000; d += 7)
    if (!is_power_of_two(d)) {
      EXPECT_TRUE(reciprocal(d, 32, 64).has_value()) << d;
    }
}

/// Every dividend of 12 bits by every magnitude; also with the factor taken for a signed number, as the machine's widest
/// multiplication takes it.
TEST(ReciprocalTest, IsExactForEverySignedDividendOfTwelveBits) {
  constexpr std::int64_t kHalf = 1 << 11, kAll = 1 << 12;
  for (std::int64_t d = 3; d < kHalf; ++d) {
    if (is_power_of_two(static_cast<std::uint64_t>(d))) continue;
    const Reciprocal r = signed_reciprocal(static_cast<std::uint64_t>(d), 12);
    const auto factor = static_cast<std::int64_t>(r.factor);
    ASSERT_LT(factor, kAll) << d;
    for (std::int64_t n = -kHalf; n < kHalf; ++n) {
      const std::int64_t sign = n < 0 ? 1 : 0;
      ASSERT_EQ((n * factor >> (12 + r.shift)) + sign, n / d) << n << " / " << d;
      const std::int64_t upper = factor < kHalf ? n * factor >> 12 : (n * (factor - kAll) >> 12) + n;
      ASSERT_TRUE(-kHalf <= upper && upper < kHalf) << n << " / " << d;
      ASSERT_EQ((upper >> r.shift) + sign, n / d) << n << " / " << d;
    }
  }
}

TEST(ReciprocalTest, EveryMagnitudeHasASignedOne) {
  for (std::uint64_t d = 3; d < std::uint64_t{1} << 31; d += 1 + d / 1000)
    for (const unsigned width : {32u, 64u})
      if (!is_power_of_two(d)) {
        EXPECT_TRUE(reciprocal_of_width(d, width - 1, width).has_value()) << d;
      }
}

}  // namespace
}  // namespace ring3::exec::jit
