#include "exec/jit/plan.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;
using isa::RegMask;

constexpr unsigned kArguments = 0x3e;   // r1 … r5
constexpr unsigned kLostByCalls = 0x3f;

void note_registers(const Insn& insn, const isa::Row& row, RegMask& reads, RegMask& writes) {
  unsigned in = 0, out = 0;
  if (row.dst.reads()) in |= 1u << insn.dst;
  if (row.src.reads()) in |= 1u << insn.src;
  if (row.dst.writes()) out |= 1u << insn.dst;
  if (row.src.writes()) out |= 1u << insn.src;
  if (row.effects & isa::kReadsR0) in |= 1u;
  if (row.effects & isa::kWritesR0) out |= 1u;
  if (row.effects & isa::kCalls) in |= kArguments, out |= kLostByCalls;
  reads = static_cast<RegMask>(in);
  writes = static_cast<RegMask>(out);
}

bool leaves_block(const isa::Row& row) { return (row.effects & isa::kEnds) != 0 || row.form == isa::Form::kJump || row.form == isa::Form::kMayGoto; }

/// What a block reads before it writes it, and what it writes.
struct Uses {
  RegMask reads = 0;
  RegMask writes = 0;
};

Uses uses_of(const Block& block, const Plan& plan) {
  unsigned reads = 0, writes = 0;
  for (std::uint32_t idx = block.start; idx < block.end; ++idx) {
    reads |= plan.reads[idx] & ~writes;
    writes |= plan.writes[idx];
  }
  return {static_cast<RegMask>(reads), static_cast<RegMask>(writes)};
}

/// Whether dropping it changes nothing but the registers it writes.
bool is_pure(const Insn& insn) {
  switch (insn.op) {
    case Op::kAdd: case Op::kSub: case Op::kMul: case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod:
    case Op::kOr: case Op::kAnd: case Op::kXor: case Op::kLsh: case Op::kRsh: case Op::kArsh: case Op::kNeg:
    case Op::kMov: case Op::kMovsx: case Op::kToLe: case Op::kToBe: case Op::kBswap: case Op::kLoad: case Op::kLoadSx: return true;
    default: return false;
  }
}

/// Masks and barriers against wrong guesses are to be executed as they stand: where there are any, nothing is planned.
/// (The passes below also count on registers that only the program writes.)
bool is_hardened(const rewrite::XlatedProgram& program) {
  if (!program.nospec.empty()) return true;
  for (const Insn& insn : program.insns)
    if (insn.dst == rewrite::kRewriteReg) return true;
  return false;
}

}  // namespace

void find_blocks(const rewrite::XlatedProgram& program, const CheckedProgram& checked, const ProgramShape& shape, Plan& plan) {
  const auto count = static_cast<std::uint32_t>(program.insns.size());
  std::vector<std::uint32_t> block_at(count, 0);
  for (std::uint32_t idx = 0; idx < count; ++idx) {
    if (plan.blocks.empty() || shape.is_target[idx] || leaves_block(checked.row(idx - 1))) {
      if (!plan.blocks.empty()) plan.blocks.back().end = idx;
      plan.blocks.push_back({.start = idx, .end = count});
    }
    block_at[idx] = static_cast<std::uint32_t>(plan.blocks.size() - 1);
  }
  std::vector<Uses> uses;
  for (const Block& block : plan.blocks) uses.push_back(uses_of(block, plan));
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t b = plan.blocks.size(); b-- > 0;) {
      Block& block = plan.blocks[b];
      const std::uint32_t last = block.end - 1;
      const isa::Row& row = checked.row(last);
      unsigned out = 0;
      if ((row.effects & isa::kEnds) == 0 && block.end < count) out |= plan.blocks[b + 1].live_in;
      if (row.effects & isa::kHasTarget && row.form != isa::Form::kCall)
        out |= plan.blocks[block_at[static_cast<std::size_t>(std::int64_t{last} + 1 + program.insns[last].jump)]].live_in;
      block.live_out = static_cast<RegMask>(out);
      const auto in = static_cast<RegMask>(uses[b].reads | (out & ~unsigned{uses[b].writes}));
      changed |= in != block.live_in;
      block.live_in = in;
    }
  }
}

static void drop_unread_of(std::span<const isa::Insn> insns, const Block& block, Plan& plan) {
  unsigned live = block.live_out;
  for (std::uint32_t idx = block.end; idx-- > block.start;) {
    Step& step = plan.steps[idx];
    if (step.action == Step::kDrop) continue;
    if ((plan.writes[idx] & live) == 0 && (step.action != Step::kKeep || is_pure(insns[idx]))) {
      step.action = Step::kDrop;
      continue;
    }
    live = (live & ~unsigned{plan.writes[idx]}) | plan.reads[idx];
  }
}

void drop_unread(std::span<const isa::Insn> insns, Plan& plan) {
  for (const Block& block : plan.blocks) drop_unread_of(insns, block, plan);
}

Plan make_plan(const rewrite::XlatedProgram& program, const CheckedProgram& checked, ProgramShape& shape) {
  Plan plan;
  const std::size_t count = program.insns.size();
  plan.steps.resize(count);
  plan.reads.resize(count);
  plan.writes.resize(count);
  for (std::uint32_t idx = 0; idx < count; ++idx) {
    note_registers(program.insns[idx], checked.row(idx), plan.reads[idx], plan.writes[idx]);
    if (inline_helper(program, program.insns[idx]) == InlineHelper::kCurrentCpu) plan.reads[idx] = 0, plan.writes[idx] = 1;
  }
  find_blocks(program, checked, shape, plan);
  if (is_hardened(program)) return plan;
  gather_and_rotate(program.insns, program.faulting, plan);
  test_bits(program.insns, plan);
  fold_addresses(program.insns, plan);
  drop_unread(program.insns, plan);
  for (FunctionShape& function : shape.functions) {
    unsigned touched = 0;
    for (std::uint32_t idx = function.start; idx < function.end; ++idx)
      if (!plan.dropped(idx)) touched |= unsigned{plan.reads[idx]} | plan.writes[idx];
    function.touched = static_cast<RegMask>(touched);
  }
  return plan;
}

}  // namespace ring3::exec::jit
