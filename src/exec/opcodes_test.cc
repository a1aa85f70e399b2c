// Every instruction there is (each row of isa/insn.def, cpu v1 to v4 and Linux's own), on every register, by every tier: all agree on
// every register and byte afterwards. What a row computes is tested in isa/semantics_test.cc.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "exec/run_context.h"
#include "exec/testing.h"
#include "isa/rows.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;
using isa::Role;
using isa::Row;

/// What a program finds at r1: the registers' values, room for them afterwards, whether it jumped, and memory.
struct World {
  static constexpr std::uint32_t kAfter = 10, kMark = 20, kMemory = 24;
  alignas(16) std::array<std::uint64_t, 40> words{};
};
constexpr std::int64_t kMemoryOff = 8 * World::kMemory + 32;

constexpr std::uint64_t kCorners[] = {0, 1, 2, 31, 33, 63, 0x7f, 0x80, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000001,
                                      0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffff6, 0xffffffffffffffff, 0x0123456789abcdef};

std::uint64_t mixing_helper(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e, RunContext&) {
  return a + 3 * b + 5 * c + 7 * d + 11 * e;
}
std::uint64_t mixing_kfunc(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d, std::uint64_t e) {
  return a ^ 3 * b ^ 5 * c ^ 7 * d ^ 11 * e;
}

/// The instruction between loads and stores of every register but `base`, which holds the World.
class Program {
 public:
  Program(const Row& row, Insn insn) : base_(free_register(insn)) {
    for (std::uint8_t reg = 0; reg < 10; ++reg)
      if (reg == base_ && reg != 1) push({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = base_, .src = 1});
    for (std::uint8_t reg = 9;; --reg) {
      if (reg != base_ && reg != 1) load(reg);
      if (reg == 0) break;
    }
    if (base_ != 1) load(1);
    const bool stores = (row.effects & isa::kStores) != 0, loads = (row.effects & isa::kLoads) != 0 && !stores;
    if (stores) point(insn.dst);
    if (loads) point(insn.src);
    const bool calls = (row.effects & isa::kCalls) != 0;
    const std::uint32_t at = size();
    push(insn);
    if ((row.effects & isa::kIsWide) != 0) push({.op = Op::kLdImm64Hi, .bits = 64, .imm = insn.imm >> 32});
    if ((row.effects & isa::kHasTarget) != 0 && !calls) push({.op = Op::kStore, .bits = 64, .size = 8, .dst = base_, .off = 8 * World::kMark, .imm = 1});
    for (std::uint8_t reg = 0; reg < 10; ++reg) {
      const bool is_pointer = (stores && reg == insn.dst) || (loads && reg == insn.src && reg != insn.dst);
      if (reg == base_ || is_pointer || (calls && reg >= 1 && reg <= 5)) continue;
      push({.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = base_, .src = reg, .off = static_cast<std::int16_t>(8 * (World::kAfter + reg))});
    }
    push({.op = Op::kMov, .bits = 64, .dst = 0, .imm = 7});
    push({.op = Op::kExit, .bits = 64});
    x_->subprogs.push_back({0, size(), 0});
    if (insn.op == Op::kCallSubprog) {
      x_->insns[at].jump = static_cast<std::int32_t>(size() - at - 1);
      const std::uint32_t start = size();
      push({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = 0, .src = 3});
      push({.op = Op::kMov, .bits = 64, .dst = 6, .imm = 99});  // its caller's comes back
      push({.op = Op::kExit, .bits = 64});
      x_->subprogs.push_back({start, size(), 0});
    }
    x_->helpers.push_back({1000, "mix", mixing_helper});
    x_->kfuncs.push_back({"mix", reinterpret_cast<void*>(&mixing_kfunc), 8, false, false});
    for (std::uint32_t i = 0; i < size(); ++i) x_->original_idx.push_back(i);
  }

  std::shared_ptr<const rewrite::XlatedProgram> get() const { return x_; }

 private:
  static std::uint8_t free_register(const Insn& insn) {
    for (const std::uint8_t reg : {std::uint8_t{9}, std::uint8_t{8}, std::uint8_t{7}})
      if (reg != insn.dst && reg != insn.src) return reg;
    return 6;
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(x_->insns.size()); }
  void push(const Insn& insn) { x_->insns.push_back(insn); }
  void load(std::uint8_t reg) {
    push({.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = reg, .src = base_, .off = static_cast<std::int16_t>(8 * reg)});
  }
  void point(std::uint8_t reg) {
    push({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = reg, .src = base_});
    push({.op = Op::kAdd, .bits = 64, .dst = reg, .imm = kMemoryOff});
  }

  const std::uint8_t base_;
  std::shared_ptr<rewrite::XlatedProgram> x_ = std::make_shared<rewrite::XlatedProgram>();
};

std::vector<std::int64_t> immediates(const Row& row) {
  if (row.imm.role == Role::kWidth) return {16, 32, 64};
  if (row.imm.role == Role::kIs) return {row.imm.value};
  if (row.op == Op::kLdImm64) return {0, -1, 0x0123456789abcdef, 0x80000000};
  if (row.imm.role != Role::kValue) return {0};
  if (row.op == Op::kLsh || row.op == Op::kRsh || row.op == Op::kArsh) return {0, 1, 7, 31, row.bits - 1};
  if ((row.effects & isa::kCalls) != 0) return {0};
  return {0, 1, -1, 3, -3, 8, -8, 10, 127, 128, 255, 65535, 0x12345678, INT32_MAX, INT32_MIN};
}

/// Every register in each register field.
std::vector<Insn> forms(const Row& row) {
  std::vector<Insn> out;
  const int dsts = row.dst.is_register() ? 10 : 1, srcs = row.src.is_register() ? 10 : 1;
  for (int dst = 0; dst < dsts; ++dst)
    for (int src = 0; src < srcs; ++src)
      for (const std::int64_t imm : immediates(row))
        for (const std::int16_t off : {std::int16_t{0}, std::int16_t{8}, std::int16_t{-16}}) {
          if (off != 0 && row.off.role != Role::kMem) continue;
          Insn insn{.op = row.op, .bits = row.bits, .size = row.size, .src_is_reg = row.src_is_reg(), .dst = static_cast<std::uint8_t>(dst),
                    .src = static_cast<std::uint8_t>(row.src.role == Role::kIs ? row.src.value : src), .off = off, .imm = imm};
          if ((row.effects & isa::kHasTarget) != 0) insn.jump = 1;
          out.push_back(insn);
        }
  return out;
}

std::vector<World> worlds() {
  std::mt19937_64 random(9);
  std::vector<World> out;
  for (int i = 0; i < 24; ++i) {
    World& world = out.emplace_back();
    for (std::uint64_t& word : world.words) word = random() % 2 == 0 ? kCorners[random() % std::size(kCorners)] : random() >> random() % 64;
    if (i % 4 == 0) world.words[World::kMemory + 4] = world.words[0];  // what compare-and-exchange expects
  }
  return out;
}

class OpcodesTest : public ::testing::Test {
 protected:
  void expect_agreement(const Row& row, const Insn& insn) {
    const Program program(row, insn);
    std::vector<std::unique_ptr<Code>> codes;
    for (const auto& engine : engines_) {
      auto code = engine->compile(program.get());
      ASSERT_TRUE(code.ok()) << row.text;
      codes.push_back(std::move(code.value()));
    }
    for (const World& world : worlds_) {
      World first;
      for (std::size_t i = 0; i < codes.size(); ++i) {
        World here = world;
        RunContext run;
        RunScope scope(run);
        ASSERT_EQ(codes[i]->run(run, here.words.data()), 7u) << row.text;
        if (i == 0) first = here;
        ASSERT_EQ(here.words, first.words) << row.text << ", " << int{row.bits} << " bits, r" << int{insn.dst} << ", r" << int{insn.src} << ", " << insn.imm
                                           << ", tier " << i;
      }
    }
  }

  CodeMemory memory_;
  const std::vector<std::unique_ptr<Engine>> engines_ = testing::every_tier(memory_);
  const std::vector<World> worlds_ = worlds();
};

/// What never gets to a tier: passes of rewrite/ put other instructions in their places.
bool is_rewritten(Op op) { return op == Op::kAddrSpaceCast || op == Op::kLdAbs || op == Op::kLdInd; }

TEST_F(OpcodesTest, EveryRowRunsAlikeOnEveryTier) {
  std::size_t programs = 0, rows = 0;
  for (const Row& row : isa::kRows) {
    if (is_rewritten(row.op)) continue;
    ++rows;
    if (row.op == Op::kLdImm64Hi || row.op == Op::kExit) continue;  // part of others here
    if (row.op == Op::kLdImm64 && row.src.value != 0) continue;     // names are numbers by then: resolve_immediates.cc
    for (const Insn& insn : forms(row)) {
      expect_agreement(row, insn);
      if (HasFatalFailure()) return;
      ++programs;
    }
  }
  EXPECT_GT(rows, 150u);
  EXPECT_GT(programs, 10000u);
}

TEST_F(OpcodesTest, WhatIsRewrittenIsRefused) {
  for (const Row& row : isa::kRows)
    if (is_rewritten(row.op)) {
      const Program program(row, forms(row).front());
      for (const auto& engine : engines_) EXPECT_FALSE(engine->compile(program.get()).ok()) << row.text;
    }
}

}  // namespace
}  // namespace ring3::exec
