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
#include <string>
#include <tuple>
#include <vector>

#include "isa/semantics.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/domain/scalar_branch.h"

namespace ring3::verifier {
namespace {

using isa::Op;

/// Small random numbers as `unsigned`.
class Dice {
 public:
  explicit Dice(unsigned seed) : rng_(seed) {}
  unsigned operator()() { return static_cast<unsigned>(rng_()); }

 private:
  std::mt19937 rng_;
};

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
  Dice rng(7);
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

constexpr bool is_jump(Op op) { return op >= Op::kJeq && op <= Op::kJsle; }

/// The instruction set's meaning at N bits; of a jump: whether it is taken.
template <int N>
std::uint64_t meaning(Op op, std::uint64_t x, std::uint64_t y) {
  return is_jump(op) ? isa::jump_taken<N>(op, x, y) : isa::alu<N>(op, x, y);
}
template <int N>
unsigned concrete(Op op, unsigned x, unsigned y) {
  return static_cast<unsigned>(meaning<N>(op, x, y));
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
  Dice rng(11);
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
  const auto scalars = pool<4>(20);
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
  Dice rng(3);
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

// At full width: random walks and corners, numbers drawn from inside the operands.

constexpr std::uint64_t kCorners[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
                                      0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000};

class WideDraw {
 public:
  explicit WideDraw(std::uint64_t seed) : rng_(seed) {}
  std::uint64_t number() {
    if (rng_() % 2 != 0) return kCorners[rng_() % std::size(kCorners)] + rng_() % 5 - 2;
    return rng_() >> (rng_() % 64);
  }
  /// A set of a few numbers, abstracted: each is a witness inside.
  Scalar64 scalar(std::vector<std::uint64_t>& witnesses) {
    witnesses.clear();
    Hull<64> h;
    const std::uint64_t base = number();
    for (std::uint64_t n = 1 + rng_() % 4; n > 0; --n) {
      witnesses.push_back(rng_() % 2 != 0 ? number() : base + rng_() % 300);
      h.add(witnesses.back());
    }
    return h.s;
  }
  template <typename T, std::size_t N>
  T pick(const T (&from)[N]) {
    return from[rng_() % N];
  }
  bool coin() { return rng_() % 2 != 0; }

 private:
  std::mt19937_64 rng_;
};

std::uint64_t concrete_wide(Op op, bool is32, std::uint64_t x, std::uint64_t y) {
  return is32 ? meaning<32>(op, x, y) : meaning<64>(op, x, y);
}

TEST(ScalarTest, ArithmeticHoldsWitnessesAtSixtyFourBits) {
  WideDraw draw(1);
  std::vector<std::uint64_t> xs, ys;
  for (int i = 0; i < 200'000; ++i) {
    const Scalar64 a = draw.scalar(xs), b = draw.scalar(ys);
    const Op op = draw.pick(kAluOps);
    const bool is32 = draw.coin();
    const Scalar64 r = binary_alu(op, is32 ? Half::kLow : Half::kFull, a, b);
    for (const auto x : xs)
      for (const auto y : ys)
        ASSERT_TRUE(r.contains(concrete_wide(op, is32, x, y)))
            << "op " << static_cast<int>(op) << " bits " << (is32 ? 32 : 64) << " " << x << " " << y;
  }
}

TEST(ScalarTest, JumpsKeepWitnessesAtSixtyFourBits) {
  WideDraw draw(2);
  std::vector<std::uint64_t> xs, ys;
  for (int i = 0; i < 200'000; ++i) {
    const Scalar64 a = draw.scalar(xs), b = draw.scalar(ys);
    const Op op = draw.pick(kJumpOps);
    const bool is32 = draw.coin();
    const Half half = is32 ? Half::kLow : Half::kFull;
    Scalar64 in_a[2] = {a, a}, in_b[2] = {b, b};
    bool possible[2];
    for (const int t : {0, 1}) possible[t] = refine(op, t != 0, half, in_a[t], in_b[t]);
    const Taken verdict = branch_taken(op, half, a, b);
    for (const auto x : xs) {
      for (const auto y : ys) {
        const auto t = concrete_wide(op, is32, x, y);
        ASSERT_TRUE(possible[t] && in_a[t].contains(x) && in_b[t].contains(y))
            << "jump " << static_cast<int>(op) << " bits " << (is32 ? 32 : 64) << " " << x << " " << y;
        ASSERT_NE(t != 0 ? Taken::kNever : Taken::kAlways, verdict);
      }
    }
  }
}

constexpr isa::Insn kMoves[] = {
    {Op::kNeg, 64, 0, false, 0, 0, 0, 0, 0},   {Op::kNeg, 32, 0, false, 0, 0, 0, 0, 0},
    {Op::kMov, 64, 0, true, 0, 0, 0, 0, 0},    {Op::kMov, 32, 0, true, 0, 0, 0, 0, 0},
    {Op::kMovsx, 64, 1, true, 0, 0, 0, 0, 0},  {Op::kMovsx, 64, 2, true, 0, 0, 0, 0, 0},
    {Op::kMovsx, 64, 4, true, 0, 0, 0, 0, 0},  {Op::kMovsx, 32, 1, true, 0, 0, 0, 0, 0},
    {Op::kMovsx, 32, 2, true, 0, 0, 0, 0, 0},  {Op::kToBe, 64, 0, false, 0, 0, 0, 0, 16},
    {Op::kToBe, 64, 0, false, 0, 0, 0, 0, 32}, {Op::kToBe, 64, 0, false, 0, 0, 0, 0, 64},
    {Op::kToLe, 64, 0, false, 0, 0, 0, 0, 16}, {Op::kToLe, 64, 0, false, 0, 0, 0, 0, 32},
    {Op::kToLe, 64, 0, false, 0, 0, 0, 0, 64}, {Op::kBswap, 64, 0, false, 0, 0, 0, 0, 16},
    {Op::kBswap, 64, 0, false, 0, 0, 0, 0, 64}};

TEST(ScalarTest, MovesAndByteOrderHoldWitnesses) {
  WideDraw draw(3);
  std::vector<std::uint64_t> xs;
  for (int i = 0; i < 50'000; ++i) {
    const Scalar64 a = draw.scalar(xs);
    for (const isa::Insn& insn : kMoves)
      for (const auto x : xs)
        ASSERT_TRUE(alu(insn, a, a).contains(isa::evaluate(insn, x, x))) << static_cast<int>(insn.op) << " " << x;
  }
  EXPECT_TRUE(alu({Op::kToBe, 64, 0, false, 0, 0, 0, 0, 16}, Scalar64::constant(0x1234), {}).is_const(0x3412));
  EXPECT_EQ(Scalar64::of_unsigned(0, 255), loaded(1, false));
  EXPECT_EQ(Scalar64::of_signed(-128, 127), loaded(1, true));
}

// How often the best abstraction is missed, for the record: not required to be zero.
TEST(ScalarTest, PrecisionAtFourBitsIsReported) {
  const auto scalars = pool<4>(0);
  std::vector<std::vector<unsigned>> in;
  for (const auto& s : scalars) in.push_back(members(s));
  for (const Op op : kAluOps) {
    int imprecise = 0;
    for (std::size_t i = 0; i < scalars.size(); ++i) {
      for (std::size_t j = 0; j < scalars.size(); ++j) {
        Hull<4> best;
        for (const unsigned x : in[i])
          for (const unsigned y : in[j]) best.add(concrete<4>(op, x, y));
        imprecise += !(binary_alu(op, Half::kFull, scalars[i], scalars[j]) == best.s);
      }
    }
    RecordProperty("imprecise_permille_of_op_" + std::to_string(static_cast<int>(op)),
                   imprecise * 1000 / static_cast<int>(scalars.size() * scalars.size()));
  }
}

}  // namespace
}  // namespace ring3::verifier
