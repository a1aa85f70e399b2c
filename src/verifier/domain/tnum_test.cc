// Every operation of Tnum, over all tnums of five bits: the result holds every concrete result, and
// for the operations called optimal no smaller tnum does.
#include "verifier/domain/tnum.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ring3::verifier {
namespace {

constexpr int kBits = 5;
constexpr unsigned kNumbers = 1u << kBits;
using T = Tnum<kBits>;

std::vector<T> all_tnums() {
  std::vector<T> all;
  for (unsigned mask = 0; mask < kNumbers; ++mask)
    for (unsigned value = 0; value < kNumbers; ++value)
      if ((value & mask) == 0) all.push_back({value, mask});
  return all;
}

std::vector<unsigned> members(const T& t) {
  std::vector<unsigned> in;
  for (unsigned x = 0; x < kNumbers; ++x)
    if (t.contains(x)) in.push_back(x);
  return in;
}

/// Best abstraction of a set collected one by one.
struct Hull {
  unsigned ones = kNumbers - 1;
  unsigned zeros = kNumbers - 1;
  void add(unsigned x) {
    ones &= x;
    zeros &= ~x;
  }
  T tnum() const { return {ones, (kNumbers - 1) & ~ones & ~zeros}; }
};

/// Counts how many pairs of tnums do not get the best result; fails on an unsound one.
template <typename Abstract, typename Concrete>
std::uint64_t imprecise_pairs(Abstract abstract, Concrete concrete) {
  std::uint64_t imprecise = 0;
  const std::vector<T> tnums = all_tnums();
  std::vector<std::vector<unsigned>> in;
  for (const T& t : tnums) in.push_back(members(t));
  for (std::size_t i = 0; i < tnums.size(); ++i) {
    for (std::size_t j = 0; j < tnums.size(); ++j) {
      Hull hull;
      for (const unsigned x : in[i])
        for (const unsigned y : in[j]) hull.add(concrete(x, y) & (kNumbers - 1));
      const T result = abstract(tnums[i], tnums[j]);
      if ((result.value & result.mask) != 0 || (result.max() & ~(kNumbers - 1)) != 0 ||
          !hull.tnum().is_subset_of(result)) {
        ADD_FAILURE() << "unsound at (" << tnums[i].value << "; " << tnums[i].mask << ") (" << tnums[j].value << "; "
                      << tnums[j].mask << ") = (" << result.value << "; " << result.mask << ")";
        return imprecise;
      }
      imprecise += result != hull.tnum();
    }
  }
  return imprecise;
}

TEST(TnumTest, AddIsOptimalAtFiveBits) {
  EXPECT_EQ(0u, imprecise_pairs([](T a, T b) { return a + b; }, [](unsigned x, unsigned y) { return x + y; }));
}
TEST(TnumTest, SubIsOptimalAtFiveBits) {
  EXPECT_EQ(0u, imprecise_pairs([](T a, T b) { return a - b; }, [](unsigned x, unsigned y) { return x - y; }));
}
TEST(TnumTest, MulIsSoundAtFiveBits) {
  const auto imprecise =
      imprecise_pairs([](T a, T b) { return a * b; }, [](unsigned x, unsigned y) { return x * y; });
  RecordProperty("imprecise_pairs", std::to_string(imprecise));
}
TEST(TnumTest, BitOperationsAreOptimalAtFiveBits) {
  EXPECT_EQ(0u, imprecise_pairs([](T a, T b) { return a & b; }, [](unsigned x, unsigned y) { return x & y; }));
  EXPECT_EQ(0u, imprecise_pairs([](T a, T b) { return a | b; }, [](unsigned x, unsigned y) { return x | y; }));
  EXPECT_EQ(0u, imprecise_pairs([](T a, T b) { return a ^ b; }, [](unsigned x, unsigned y) { return x ^ y; }));
}

template <typename Abstract, typename Concrete>
void expect_optimal(Abstract abstract, Concrete concrete) {
  for (const T& t : all_tnums()) {
    Hull hull;
    for (const unsigned x : members(t)) hull.add(concrete(x) & (kNumbers - 1));
    EXPECT_EQ(hull.tnum(), abstract(t)) << t.value << "; " << t.mask;
  }
}

unsigned sign_extend(unsigned x, int n) {
  return static_cast<unsigned>(static_cast<int>(x << (32 - n)) >> (32 - n));
}

TEST(TnumTest, ShiftsAndExtensionsAreOptimalAtFiveBits) {
  for (int n = 0; n < kBits; ++n) {
    expect_optimal([n](T t) { return t.lsh(n); }, [n](unsigned x) { return x << n; });
    expect_optimal([n](T t) { return t.rsh(n); }, [n](unsigned x) { return x >> n; });
    expect_optimal([n](T t) { return t.arsh(n); }, [n](unsigned x) { return sign_extend(x, kBits) >> n; });
  }
  for (int n = 1; n <= kBits; ++n) {
    expect_optimal([n](T t) { return t.zero_extended(n); }, [n](unsigned x) { return x & ((1u << n) - 1); });
    expect_optimal([n](T t) { return t.sign_extended(n); }, [n](unsigned x) { return sign_extend(x, n); });
  }
  expect_optimal([](T t) { return negate(t); }, [](unsigned x) { return 0 - x; });
}

TEST(TnumTest, RangeIsOptimalAtFiveBits) {
  for (unsigned lo = 0; lo < kNumbers; ++lo) {
    Hull hull;
    for (unsigned hi = lo; hi < kNumbers; ++hi) {
      hull.add(hi);
      EXPECT_EQ(hull.tnum(), T::range(lo, hi)) << lo << " " << hi;
    }
  }
}

TEST(TnumTest, SetRelationsAreExactAtFiveBits) {
  const std::vector<T> tnums = all_tnums();
  for (const T& a : tnums) {
    for (const T& b : tnums) {
      bool subset = true, disjoint = true;
      Hull both, either;
      for (unsigned x = 0; x < kNumbers; ++x) {
        if (a.contains(x) && !b.contains(x)) subset = false;
        if (a.contains(x) && b.contains(x)) {
          disjoint = false;
          both.add(x);
        }
        if (a.contains(x) || b.contains(x)) either.add(x);
      }
      ASSERT_EQ(subset, a.is_subset_of(b));
      ASSERT_EQ(disjoint, a.is_disjoint(b));
      ASSERT_EQ(either.tnum(), join(a, b));
      if (!disjoint) {
        ASSERT_EQ(both.tnum(), intersect(a, b));
      }
    }
  }
}

TEST(TnumTest, NeighboursAreExactAtFiveBits) {
  for (const T& t : all_tnums()) {
    for (unsigned x = 0; x < kNumbers; ++x) {
      std::optional<unsigned> first, last;
      for (const unsigned y : members(t)) {
        if (y >= x && !first) first = y;
        if (y <= x) last = y;
      }
      ASSERT_EQ(first, t.first_from(x)) << t.value << "; " << t.mask << " from " << x;
      ASSERT_EQ(last, t.last_until(x)) << t.value << "; " << t.mask << " until " << x;
    }
  }
}

TEST(TnumTest, HalvesSplitAndJoin) {
  const Tnum<8> t{0x81, 0x18};
  EXPECT_EQ((Tnum<4>{0x1, 0x8}), t.low<4>());
  EXPECT_EQ((Tnum<8>{0x85, 0x12}), t.with_low(Tnum<4>{0x5, 0x2}));
  EXPECT_EQ((Tnum<64>{0x123456789abcdef0, 0}), Tnum<64>::constant(0x123456789abcdef0));
  EXPECT_TRUE((Tnum<64>{0, 0xfff8}).is_aligned(8));
  EXPECT_FALSE((Tnum<64>{4, 0xfff8}).is_aligned(8));
}

}  // namespace
}  // namespace ring3::verifier
