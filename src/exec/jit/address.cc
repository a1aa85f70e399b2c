// Sums that only make an address become part of the memory operands that use them. plan.h has the argument for
// soundness.
#include <array>
#include <bit>

#include "exec/jit/plan.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;
using isa::RegMask;

using ValueId = std::uint32_t;
constexpr ValueId kNone = UINT32_MAX;
constexpr std::uint32_t kNowhere = UINT32_MAX;
constexpr unsigned kRegs = isa::kRegCount;
constexpr std::int64_t kFarthest = 1 << 20;

/// base + (index << shift) + off, of other values.
struct Sum {
  ValueId base = kNone;
  ValueId index = kNone;
  unsigned shift = 0;
  std::int64_t off = 0;

  bool is_plain() const { return index == kNone && base != kNone; }
};

struct Value {
  Sum sum;
  std::uint32_t def = kNowhere;
};

struct Access {
  std::uint32_t idx;
  std::uint32_t def;     // what made the address
  std::uint8_t address;  // the register it was in
  std::uint8_t base, index;
  unsigned shift;
  std::int64_t off;
};

class AddressFolder {
 public:
  AddressFolder(std::span<const Insn> insns, Plan& plan) : insns_(insns), plan_(plan) {}

  /// Memory is kept from block to block: making it anew would cost more than the walk.
  void run(const Block& block) {
    block_ = block;
    if (!worth_a_walk()) return;
    values_.clear();
    accesses_.clear();
    users_.assign(block_.end - block_.start, 0);
    accesses_of_.assign(block_.end - block_.start, 0);
    for (ValueId& value : now_) value = opaque(kNowhere);
    for (std::uint32_t idx = block_.start; idx < block_.end; ++idx)
      if (!plan_.dropped(idx)) walk(idx);
    for (unsigned reg = 0; reg < kRegs; ++reg)
      if (block_.live_out >> reg & 1) use(now_[reg]);
    for (const Access& access : accesses_)
      if (users_[access.def - block_.start] == accesses_of_[access.def - block_.start]) fold(access);
  }

 private:
  /// Something is accessed at an address that a sum of this block made.
  bool worth_a_walk() const {
    unsigned sums = 0;  // registers that hold one
    for (std::uint32_t idx = block_.start; idx < block_.end; ++idx) {
      const Insn& insn = insns_[idx];
      const Step& step = plan_.steps[idx];
      if (step.action == Step::kGather ? (sums >> step.base & 1) != 0 : step.action == Step::kKeep && accesses_at(insn, sums)) return true;
      const bool copies_sum = insn.op == Op::kMov && insn.src_is_reg && (sums >> insn.src & 1) != 0;
      if (insn.op == Op::kAdd || insn.op == Op::kSub || copies_sum) sums |= 1u << insn.dst;
      else if (insn.op != Op::kLsh) sums &= ~unsigned{plan_.writes[idx]};
    }
    return false;
  }
  static bool accesses_at(const Insn& insn, unsigned sums) {
    if (insn.op == Op::kLoad || insn.op == Op::kLoadSx) return (sums >> insn.src & 1) != 0;
    return insn.op == Op::kStore && (sums >> insn.dst & 1) != 0;
  }

  ValueId opaque(std::uint32_t def) {
    const auto id = static_cast<ValueId>(values_.size());
    values_.push_back({.sum = {.base = id, .index = kNone, .shift = 0, .off = 0}, .def = def});
    return id;
  }

  void use(ValueId value) {
    if (values_[value].def != kNowhere) ++users_[values_[value].def - block_.start];
  }

  void walk(std::uint32_t idx) {
    note_access(idx);
    for (unsigned reads = plan_.reads[idx]; reads != 0; reads &= reads - 1) use(now_[static_cast<unsigned>(std::countr_zero(reads))]);
    if (plan_.writes[idx] == 0) return;
    const Insn& insn = insns_[idx];
    const bool kept = plan_.steps[idx].action == Step::kKeep;
    if (kept && insn.bits == 64 && insn.op == Op::kMov && insn.src_is_reg) {
      now_[insn.dst] = now_[insn.src];
      return;
    }
    Sum sum;
    const bool is_sum = kept && insn.bits == 64 && sum_of(insn, sum);
    for (unsigned writes = plan_.writes[idx]; writes != 0; writes &= writes - 1) now_[static_cast<unsigned>(std::countr_zero(writes))] = opaque(idx);
    if (is_sum) values_[now_[insn.dst]].sum = sum;
  }

  bool sum_of(const Insn& insn, Sum& sum) const {
    sum = values_[now_[insn.dst]].sum;
    switch (insn.op) {
      case Op::kAdd:
        if (insn.src_is_reg) return add(sum, values_[now_[insn.src]].sum);
        sum.off += insn.imm;
        break;
      case Op::kSub:
        if (insn.src_is_reg) return false;
        sum.off -= insn.imm;
        break;
      case Op::kLsh:
        if (insn.src_is_reg || insn.imm < 1 || insn.imm > 3 || !sum.is_plain()) return false;
        sum = {.base = kNone, .index = sum.base, .shift = static_cast<unsigned>(insn.imm), .off = sum.off * (1 << insn.imm)};
        break;
      default: return false;
    }
    return sum.off > -kFarthest && sum.off < kFarthest;
  }

  static bool add(Sum& to, const Sum& with) {
    const std::int64_t off = to.off + with.off;
    if (off <= -kFarthest || off >= kFarthest) return false;
    if (to.is_plain() && with.is_plain()) to.index = with.base;
    else if (to.is_plain() && with.base == kNone) to.index = with.index, to.shift = with.shift;
    else if (with.is_plain() && to.base == kNone) to.base = with.base;
    else return false;
    to.off = off;
    return true;
  }

  void note_access(std::uint32_t idx) {
    const Insn& insn = insns_[idx];
    const Step& step = plan_.steps[idx];
    std::uint8_t address = 0;
    std::int64_t off = insn.off;
    if (step.action == Step::kGather) address = step.base, off = step.off;
    else if (step.action != Step::kKeep) return;
    else if (insn.op == Op::kLoad || insn.op == Op::kLoadSx) address = insn.src;
    else if (insn.op == Op::kStore && !(insn.src_is_reg && insn.src == insn.dst)) address = insn.dst;
    else return;
    const ValueId id = now_[address];
    const Value& value = values_[id];
    if (value.def == kNowhere || value.sum.base == id || value.sum.base == kNone) return;
    const std::uint8_t base = holder(value.sum.base);
    const std::uint8_t index = value.sum.index == kNone ? kNoRegister : holder(value.sum.index);
    if (base == kNoRegister || (value.sum.index != kNone && index == kNoRegister)) return;
    ++accesses_of_[value.def - block_.start];
    accesses_.push_back({idx, value.def, address, base, index, value.sum.shift, value.sum.off + off});
  }

  std::uint8_t holder(ValueId value) const {
    for (std::uint8_t reg = kRegs; reg-- > 0;)
      if (now_[reg] == value) return reg;
    return kNoRegister;
  }

  void fold(const Access& access) {
    Step& step = plan_.steps[access.idx];
    step.folded = true;
    step.base = access.base;
    step.index = access.index;
    step.shift = static_cast<std::uint8_t>(access.shift);
    step.off = static_cast<std::int32_t>(access.off);
    unsigned reads = plan_.reads[access.idx] & ~(1u << access.address);
    reads |= 1u << access.base;
    if (access.index != kNoRegister) reads |= 1u << access.index;
    plan_.reads[access.idx] = static_cast<RegMask>(reads);
  }

  const std::span<const Insn> insns_;
  Plan& plan_;
  Block block_{};
  std::vector<Value> values_;
  std::array<ValueId, kRegs> now_{};
  std::vector<std::uint32_t> users_;         // per instruction: how often its result is read
  std::vector<std::uint32_t> accesses_of_;   // … as an address that can be folded
  std::vector<Access> accesses_;
};

}  // namespace

void fold_addresses(std::span<const isa::Insn> insns, Plan& plan) {
  AddressFolder folder(insns, plan);
  for (const Block& block : plan.blocks) folder.run(block);
}

}  // namespace ring3::exec::jit
