// Scalar at small widths, against the concrete meaning of each instruction.
//
// Pools: the alphas of all walks on the circle, of all bit patterns, and of random sets of numbers, so
// that bounds, bits and halves say independent things. Everything is a 4-bit (half: 2) or 6-bit
// (half: 3) register; the operations are the very templates the verifier runs at 64.
#include "verifier/domain/scalar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "verifier/domain/scalar_alu.h"
#include "verifier/domain/scalar_branch.h"

namespace ring3::verifier {
namespace {

using isa::Op;

/// Best Scalar over a set of numbers, one by one.
template <int B>
struct Hull {
  using W = Width<B>;
  using H = Width<B / 2>;
  bool empty = true;
  Scalar<B> s{Tnum<B>::constant(0), {W::kSmax, W::kSmin, W::kMask, 0}, {H::kSmax, H::kSmin, H::kMask, 0}};

  void add(typename W::U x) {
    const auto low = static_cast<typename H::U>(x) & H::kMask;
    s.var_off = empty ? Tnum<B>::constant(x) : join(s.var_off, Tnum<B>::constant(x));
    s.full = join(s.full, Range<B>::constant(x));
    s.sub = join(s.sub, Range<B / 2>::constant(low));
    empty = false;
  }
};

template <int B>
std::vector<Scalar<B>> pool(unsigned random_sets) {
  constexpr unsigned kNumbers = 1u << B;
  std::set<std::tuple<unsigned, unsigned, int, int, unsigned, unsigned, int, int, unsigned, unsigned>> seen;
  std::vector<Scalar<B>> out;
  const auto keep = [&](const Hull<B>& h) {
    const auto& s = h.s;
    if (!h.empty && seen.insert({s.var_off.value, s.var_off.mask, s.full.smin, s.full.smax, s.full.umin, s.full.umax,
                                 s.sub.smin, s.sub.smax, s.sub.umin, s.sub.umax}).second)
      out.push_back(s);
  };
  for (unsigned start = 0; start < kNumbers; ++start) {
    Hull<B> walk;
    for (unsigned n = 0; n < kNumbers; ++n) {
      walk.add((start + n) % kNumbers);
      keep(walk);
    }
  }
  for (unsigned mask = 0; mask < kNumbers; ++mask) {
    for (unsigned value = 0; value < kNumbers; ++value) {
      if ((mask & value) != 0) continue;
      Hull<B> pattern;
      for (unsigned x = 0; x < kNumbers; ++x)
        if ((x & ~mask) == value) pattern.add(x);
      keep(pattern);
    }
  }
  std::mt19937 rng(7);
  for (unsigned i = 0; i < random_sets; ++i) {
    Hull<B> set;
    for (unsigned n = 1 + rng() % 5; n > 0; --n) set.add(rng() % kNumbers);
    keep(set);
  }
  return out;
}

template <int B>
std::vector<unsigned> members(const Scalar<B>& s) {
  std::vector<unsigned> in;
  for (unsigned x = 0; x < (1u << B); ++x)
    if (s.contains(x)) in.push_back(x);
  return in;
}

template <int N>
int as_signed(unsigned x) {
  return static_cast<int>(x << (32 - N)) >> (32 - N);
}

/// The instruction set's meaning at N bits.
template <int N>
unsigned concrete(Op op, unsigned x, unsigned y) {
  constexpr unsigned kMask = (1u << N) - 1;
  x &= kMask;
  y &= kMask;
  const int sx = as_signed<N>(x), sy = as_signed<N>(y);
  switch (op) {
    case Op::kAdd: return (x + y) & kMask;
    case Op::kSub: return (x - y) & kMask;
    case Op::kMul: return (x * y) & kMask;
    case Op::kAnd: return x & y;
    case Op::kOr: return x | y;
    case Op::kXor: return x ^ y;
    case Op::kLsh: return (x << (y & (N - 1))) & kMask;
    case Op::kRsh: return x >> (y & (N - 1));
    case Op::kArsh: return static_cast<unsigned>(sx >> (y & (N - 1))) & kMask;
    case Op::kDiv: return y == 0 ? 0 : x / y;
    case Op::kMod: return y == 0 ? x : x % y;
    case Op::kSdiv: return y == 0 ? 0 : static_cast<unsigned>(sx / sy) & kMask;
    case Op::kSmod: return y == 0 ? x : static_cast<unsigned>(sx % sy) & kMask;
    case Op::kJeq: return x == y;
    case Op::kJne: return x != y;
    case Op::kJgt: return x > y;
    case Op::kJge: return x >= y;
    case Op::kJlt: return x < y;
    case Op::kJle: return x <= y;
    case Op::kJset: return (x & y) != 0;
    case Op::kJsgt: return sx > sy;
    case Op::kJsge: return sx >= sy;
    case Op::kJslt: return sx < sy;
    case Op::kJsle: return sx <= sy;
    default: ADD_FAILURE(); return 0;
  }
}

constexpr Op kAluOps[] = {Op::kAdd, Op::kSub, Op::kMul, Op::kAnd, Op::kOr, Op::kXor, Op::kLsh,
                          Op::kRsh, Op::kArsh, Op::kDiv, Op::kMod, Op::kSdiv, Op::kSmod};
constexpr Op kJumpOps[] = {Op::kJeq, Op::kJne, Op::kJgt, Op::kJge, Op::kJlt, Op::kJle, Op::kJset,
                           Op::kJsgt, Op::kJsge, Op::kJslt, Op::kJsle};

template <int B>
std::string show(const Scalar<B>& s) {
  return testing::PrintToString(std::make_tuple(s.var_off.value, s.var_off.mask, s.full.smin, s.full.smax, s.full.umin,
                                                s.full.umax, s.sub.smin, s.sub.smax, s.sub.umin, s.sub.umax));
}

template <int B>
void prove_alu(Half half, const std::vector<Scalar<B>>& scalars) {
  constexpr int kHalf = B / 2;
  for (const Op op : kAluOps) {
    for (const auto& a : scalars) {
      const auto xs = members(a);
      for (const auto& b : scalars) {
        const Scalar<B> r = binary_alu(op, half, a, b);
        for (const unsigned x : xs) {
          for (unsigned y = 0; y < (1u << B); ++y) {
            if (!b.contains(y)) continue;
            const unsigned z = half == Half::kFull ? concrete<B>(op, x, y) : concrete<kHalf>(op, x, y);
            if (r.contains(z)) continue;
            ADD_FAILURE() << "op " << static_cast<int>(op) << ": " << x << ", " << y << " -> " << z << " not in "
                          << show(r) << " of " << show(a) << " and " << show(b);
            return;
          }
        }
      }
    }
  }
}

TEST(ScalarTest, ArithmeticIsSoundAtFourBits) {
  const auto scalars = pool<4>(150);
  prove_alu<4>(Half::kFull, scalars);
}
TEST(ScalarTest, LowHalfArithmeticIsSoundAtFourOfEightBits) {
  std::vector<Scalar<8>> some;
  std::mt19937 rng(11);
  for (int i = 0; i < 60; ++i) {
    Hull<8> h;
    const unsigned start = rng() % 256, count = 1 + rng() % 12, step = 1 + rng() % 3;
    for (unsigned n = 0; n < count; ++n) h.add((start + n * step) % 256);
    some.push_back(h.s);
  }
  prove_alu<8>(Half::kLow, some);
  prove_alu<8>(Half::kFull, some);
}

template <int B>
void prove_jumps(Half half, const std::vector<Scalar<B>>& scalars) {
  constexpr int kHalf = B / 2;
  for (const Op op : kJumpOps) {
    for (const auto& a : scalars) {
      for (const auto& b : scalars) {
        Scalar<B> in_a[2] = {a, a}, in_b[2] = {b, b};
        bool possible[2];
        for (const int taken : {0, 1}) possible[taken] = refine(op, taken != 0, half, in_a[taken], in_b[taken]);
        const Taken verdict = branch_taken(op, half, a, b);
        for (unsigned x = 0; x < (1u << B); ++x) {
          if (!a.contains(x)) continue;
          for (unsigned y = 0; y < (1u << B); ++y) {
            if (!b.contains(y)) continue;
            const unsigned t = half == Half::kFull ? concrete<B>(op, x, y) : concrete<kHalf>(op, x, y);
            const bool kept = possible[t] && in_a[t].contains(x) && in_b[t].contains(y) &&
                              verdict != (t != 0 ? Taken::kNever : Taken::kAlways);
            if (kept) continue;
            ADD_FAILURE() << "jump " << static_cast<int>(op) << ": " << x << ", " << y << " lost from " << show(a)
                          << " and " << show(b);
            return;
          }
        }
      }
    }
  }
}

TEST(ScalarTest, JumpsAreSoundAtFourBits) {
  const auto scalars = pool<4>(150);
  prove_jumps<4>(Half::kFull, scalars);
  prove_jumps<4>(Half::kLow, scalars);
}

TEST(ScalarTest, SyncLosesNothingAtFourBits) {
  constexpr unsigned kNumbers = 16;
  std::vector<Range<2>> halves;
  for (unsigned lo = 0; lo < 4; ++lo)
    for (unsigned hi = lo; hi < 4; ++hi)
      for (const auto& [slo, shi] : {std::pair{-2, 1}, {-2, -1}, {-1, 0}, {0, 1}, {1, 1}})
        halves.push_back({slo, shi, lo, hi});
  std::mt19937 rng(3);
  for (unsigned mask = 0; mask < kNumbers; ++mask) {
    for (unsigned value = 0; value < kNumbers; ++value) {
      if ((value & mask) != 0) continue;
      for (int slo = -8; slo < 8; ++slo) {
        for (int shi = slo; shi < 8; ++shi) {
          for (unsigned lo = 0; lo < kNumbers; ++lo) {
            // Sampled in the last two dimensions, exhaustive in the others.
            const unsigned hi = lo + rng() % (kNumbers - lo);
            const Scalar<4> before{{value, mask}, {slo, shi, lo, hi}, halves[rng() % halves.size()]};
            Scalar<4> after = before;
            const bool some = after.sync();
            for (unsigned x = 0; x < kNumbers; ++x) {
              if (before.contains(x)) {
                ASSERT_TRUE(some && after.contains(x)) << x << " lost from " << show(before);
              } else if (some) {
                ASSERT_FALSE(after.contains(x)) << x << " gained by " << show(before);
              }
            }
          }
        }
      }
    }
  }
}

TEST(ScalarTest, ExtensionsAreSoundAtSixBits) {
  for (const auto& s : pool<6>(2000)) {
    for (int n = 1; n <= 6; ++n) {
      const auto zext = zero_extend(s, n);
      const auto sext = sign_extend(s, n);
      for (const unsigned x : members(s)) {
        const unsigned low = x & ((1u << n) - 1);
        ASSERT_TRUE(zext.contains(low)) << n << " " << x << " " << show(s);
        const unsigned wide = static_cast<unsigned>(static_cast<int>(low << (32 - n)) >> (32 - n)) & 63;
        ASSERT_TRUE(sext.contains(wide)) << n << " " << x << " " << show(s);
      }
    }
  }
}

TEST(ScalarTest, SetRelationsAgreeWithMembersAtFourBits) {
  const auto scalars = pool<4>(300);
  for (const auto& a : scalars) {
    for (const auto& b : scalars) {
      Scalar<4> both = a;
      const bool some = both.intersect_with(b);
      const Scalar<4> either = join(a, b);
      for (unsigned x = 0; x < 16; ++x) {
        if (a.contains(x) && b.contains(x)) {
          ASSERT_TRUE(some && both.contains(x));
        }
        if (a.contains(x) || b.contains(x)) {
          ASSERT_TRUE(either.contains(x));
        }
        if (a.is_subset_of(b) && a.contains(x)) {
          ASSERT_TRUE(b.contains(x));
        }
      }
    }
  }
}

}  // namespace
}  // namespace ring3::verifier
