// Accesses that may fault, by every tier: each load through an untrusted pointer on every pair of registers, and each access to an arena,
// whose address stands in the register that no program can name. Memory ends in front of, within and behind the access.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <random>

#include "exec/fault.h"
#include "exec/run_context.h"
#include "exec/testing.h"
#include "isa/rows.h"

namespace ring3::exec {
namespace {

using isa::Insn;
using isa::Op;
using isa::Row;

constexpr std::size_t kPage = 4096;

/// What a program finds at r1: the registers' values, and room for them afterwards.
struct World {
  static constexpr std::uint32_t kAfter = 10;
  std::array<std::uint64_t, 20> words{};
};

/// A page that is there in front of one that is not.
class LastPage {
 public:
  LastPage() : at_(static_cast<std::byte*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    EXPECT_EQ(mprotect(at_ + kPage, kPage, PROT_NONE), 0);
  }
  ~LastPage() { munmap(at_, 2 * kPage); }
  LastPage(const LastPage&) = delete;
  LastPage& operator=(const LastPage&) = delete;

  using Tail = std::array<std::uint64_t, 2>;
  std::uint64_t end() const { return reinterpret_cast<std::uintptr_t>(at_ + kPage); }
  Tail& tail() { return *reinterpret_cast<Tail*>(at_ + kPage - sizeof(Tail)); }

 private:
  std::byte* const at_;
};

/// Registers are loaded, the access is made, registers are stored. r`pointer` holds what the access adds its address to.
class Program {
 public:
  /// Through a program's register.
  static Program untrusted(const Insn& load) {
    Program out(load.dst, load.src);
    out.access(load);
    out.finish();
    return out;
  }
  /// As rewrite/arena_accesses.cc has it: r`pointer` is added to the window.
  static Program arena(Insn insn, bool loads, std::uint8_t pointer, std::uint64_t window) {
    Program out(loads ? insn.dst : insn.src, pointer);
    (loads ? insn.src : insn.dst) = rewrite::kRewriteReg;
    out.push({.op = Op::kLdImm64, .bits = 64, .dst = rewrite::kRewriteReg, .imm = static_cast<std::int64_t>(window)});
    out.push({.op = Op::kLdImm64Hi, .bits = 64});
    out.push({.op = Op::kAdd, .bits = 64, .src_is_reg = true, .dst = rewrite::kRewriteReg, .src = pointer});
    out.access(insn);
    out.finish();
    return out;
  }

  std::shared_ptr<const rewrite::XlatedProgram> get() const { return x_; }

 private:
  Program(std::uint8_t one, std::uint8_t other) : base_(free_register(one, other)) {
    if (base_ != 1) push({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = base_, .src = 1});
    for (std::uint8_t reg = 0; reg < 10; ++reg)
      if (reg != base_) push({.op = Op::kLoad, .bits = 64, .size = 8, .src_is_reg = true, .dst = reg, .src = base_, .off = static_cast<std::int16_t>(8 * reg)});
  }

  static std::uint8_t free_register(std::uint8_t one, std::uint8_t other) {
    for (const std::uint8_t reg : {std::uint8_t{9}, std::uint8_t{8}})
      if (reg != one && reg != other) return reg;
    return 7;
  }
  void push(const Insn& insn) { x_->insns.push_back(insn); }
  void access(const Insn& insn) {
    x_->faulting.push_back(static_cast<std::uint32_t>(x_->insns.size()));
    push(insn);
  }
  void finish() {
    for (std::uint8_t reg = 0; reg < 10; ++reg)
      if (reg != base_)
        push({.op = Op::kStore, .bits = 64, .size = 8, .src_is_reg = true, .dst = base_, .src = reg, .off = static_cast<std::int16_t>(8 * (World::kAfter + reg))});
    push({.op = Op::kMov, .bits = 64, .dst = 0, .imm = 7});
    push({.op = Op::kExit, .bits = 64});
    const auto count = static_cast<std::uint32_t>(x_->insns.size());
    x_->subprogs.push_back({0, count, 0});
    for (std::uint32_t i = 0; i < count; ++i) x_->original_idx.push_back(i);
  }

  const std::uint8_t base_;
  std::shared_ptr<rewrite::XlatedProgram> x_ = std::make_shared<rewrite::XlatedProgram>();
};

class FaultingAccessTest : public ::testing::Test {
 protected:
  /// addresses: what r`pointer` holds, one after the other.
  void expect_agreement(const Program& program, const Insn& insn, std::uint8_t pointer, std::span<const std::uint64_t> addresses) {
    std::vector<std::unique_ptr<Code>> codes;
    for (const auto& engine : engines_) {
      auto code = engine->compile(program.get());
      ASSERT_TRUE(code.ok());
      codes.push_back(std::move(code.value()));
    }
    for (const std::uint64_t address : addresses) {
      World world;
      for (std::uint64_t& word : world.words) word = random_() >> random_() % 64;
      const LastPage::Tail bytes{random_(), random_() % 2 == 0 ? world.words[0] : random_()};
      world.words[pointer] = address;
      World first;
      LastPage::Tail first_bytes{};
      for (std::size_t i = 0; i < codes.size(); ++i) {
        World here = world;
        page_.tail() = bytes;
        RunContext run;
        RunScope scope(run);
        ASSERT_EQ(codes[i]->run(run, here.words.data()), 7u);
        if (i == 0) first = here, first_bytes = page_.tail();
        ASSERT_EQ(here.words, first.words) << isa::kRows[static_cast<std::size_t>(isa::find_row(insn))].text << " of r" << int{insn.dst} << ", r"
                                           << int{insn.src} << ", " << insn.imm << ", at r" << int{pointer} << ", tier " << i;
        ASSERT_EQ(page_.tail(), first_bytes) << isa::kRows[static_cast<std::size_t>(isa::find_row(insn))].text << ", " << insn.imm << ", tier " << i;
      }
    }
  }

  FaultGuard guard_;
  CodeMemory memory_;
  LastPage page_;
  const std::vector<std::unique_ptr<Engine>> engines_ = testing::every_tier(memory_);
  std::mt19937_64 random_{5};
};

TEST_F(FaultingAccessTest, UntrustedLoadsOfEveryPairOfRegisters) {
  const std::uint64_t addresses[] = {page_.end() - 16, page_.end() - 8, page_.end() - 3, page_.end() - 1, page_.end(), 0, 0x8000'0000'0000'0000, ~0ull};
  std::size_t programs = 0;
  for (const Row& row : isa::kRows) {
    if (row.form != isa::Form::kLdx) continue;
    for (std::uint8_t dst = 0; dst < 10; ++dst)
      for (std::uint8_t src = 0; src < 10; ++src)
        for (const std::int16_t off : {std::int16_t{0}, std::int16_t{-8}, std::int16_t{1000}}) {
          const Insn insn{.op = row.op, .bits = row.bits, .size = row.size, .src_is_reg = true, .dst = dst, .src = src, .off = off};
          expect_agreement(Program::untrusted(insn), insn, src, addresses);
          if (HasFatalFailure()) return;
          ++programs;
        }
  }
  EXPECT_EQ(programs, 7u * 100 * 3);
}

/// The verifier refuses loads that extend a sign, and operations that give an old value by trying again.
bool is_of_arenas(const Row& row) {
  const bool tries_again = row.op == Op::kAtomicFetchOr || row.op == Op::kAtomicFetchAnd || row.op == Op::kAtomicFetchXor;
  return row.op != Op::kLoadSx && !tries_again && (row.effects & (isa::kLoads | isa::kStores)) != 0;
}

TEST_F(FaultingAccessTest, ArenaAccessesOfEveryRegister) {
  // A pointer counts from a window that may lie anywhere: this one makes the last bytes of the page a pointer of 32 bits.
  const std::uint64_t window = page_.end() - 0x1000'0000;
  std::size_t rows = 0;
  for (const Row& row : isa::kRows) {
    if (!is_of_arenas(row)) continue;
    ++rows;
    const bool loads = row.form == isa::Form::kLdx, atomic = row.form == isa::Form::kAtomic;
    std::vector<std::uint64_t> pointers{0x1000'0000 - 16, 0x1000'0000 - 8, 0x1000'0000, 0x1000'0800};
    if (!atomic) pointers.insert(pointers.end(), {0x1000'0000 - 3, 0x1000'0000 - 1});  // their operands are aligned
    const std::vector<std::int64_t> immediates = row.imm.role == isa::Role::kIs      ? std::vector<std::int64_t>{row.imm.value}
                                                 : row.imm.role == isa::Role::kValue ? std::vector<std::int64_t>{0, 1, -1, 0x12345678, INT32_MAX, INT32_MIN}
                                                                                     : std::vector<std::int64_t>{0};
    const bool has_other = loads || row.src.is_register();
    for (std::uint8_t other = 0; other < (has_other ? 10 : 1); ++other)
      for (std::uint8_t pointer = 0; pointer < 10; ++pointer)
        for (const std::int64_t imm : immediates) {
          Insn insn{.op = row.op, .bits = row.bits, .size = row.size, .src_is_reg = row.src_is_reg(), .imm = imm};
          if (has_other) (loads ? insn.dst : insn.src) = other;
          expect_agreement(Program::arena(insn, loads, pointer, window), insn, pointer, pointers);
          if (HasFatalFailure()) return;
        }
  }
  EXPECT_EQ(rows, 4u + 8 + 14);
}

}  // namespace
}  // namespace ring3::exec
