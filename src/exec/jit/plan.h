// What becomes of each BPF instruction before code is made: most stay, some are dropped because nobody reads what they
// write, and some stand for a whole group that was dropped: bytes loaded one by one and put together become one load,
// two shifts and an `or` a rotation, a shift and a mask before a jump a test of one bit, sums that only make an address part
// of the memory operand.
//
// Soundness: every value is followed by number within one block. A group is replaced only when each of its members
// is read by members alone, when no store or call lies between its loads, and when the registers that go in still
// hold what they held. The memory one wide load touches is exactly what the group's loads touched.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/jit/analysis.h"
#include "exec/program_check.h"
#include "isa/reg_use.h"
#include "rewrite/xlated.h"

namespace ring3::exec::jit {

inline constexpr std::uint8_t kNoRegister = 0xff;

struct Step {
  enum Action : std::uint8_t {
    kKeep,
    kDrop,
    kGather,   // dst = `bytes` bytes at the memory operand, zero extended; `swap`: the first is the most significant
    kRotate,   // dst = base rotated left by `amount`, `bits` wide
  };
  Action action = kKeep;
  std::uint8_t dst = 0;
  std::uint8_t bytes = 0;
  std::uint8_t bits = 0;
  bool swap = false;
  std::uint8_t amount = 0;
  bool folded = false;       // kKeep: the memory operand is the one below, not the instruction's
  bool bit_test = false;     // kKeep, of a jump: by bit `index` (a register) of `base`, `bits` wide
  // The memory operand: [base + (index << shift) + off].
  std::uint8_t base = 0;
  std::uint8_t index = kNoRegister;
  std::uint8_t shift = 0;
  std::int32_t off = 0;
};

struct Block {
  std::uint32_t start;
  std::uint32_t end;
  isa::RegMask live_in = 0;
  isa::RegMask live_out = 0;
};

struct Plan {
  std::vector<Step> steps;            // per instruction
  std::vector<isa::RegMask> reads;    // per instruction, as planned
  std::vector<isa::RegMask> writes;
  std::vector<Block> blocks;

  bool dropped(std::uint32_t idx) const { return steps[idx].action == Step::kDrop; }
};

/// shape: its functions forget registers that nothing touches any more.
Plan make_plan(const rewrite::XlatedProgram& program, const CheckedProgram& checked, ProgramShape& shape);

/// Blocks of the whole program with the registers that are read after them. reads, writes: per instruction.
void find_blocks(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& shape, Plan& plan);

/// The passes over its blocks, in this order.
void gather_and_rotate(std::span<const isa::Insn> insns, const std::vector<std::uint32_t>& faulting, Plan& plan);
void test_bits(std::span<const isa::Insn> insns, Plan& plan);
void fold_addresses(std::span<const isa::Insn> insns, Plan& plan);
void drop_unread(std::span<const isa::Insn> insns, Plan& plan);

}  // namespace ring3::exec::jit
