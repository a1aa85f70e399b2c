// Byte loads that are put together, and pairs of shifts that are rotations. plan.h has the argument for soundness.
//
// One walk down the block gives every value a number and remembers what is known of it: the bytes of memory it is made
// of, or the value it was shifted from. Where an `or` completes a word, or a rotation, that is a finding. Findings are
// then applied from the last to the first, as the last covers the most.
#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "exec/jit/plan.h"

namespace ring3::exec::jit {
namespace {

using isa::Insn;
using isa::Op;
using isa::RegMask;

using ValueId = std::uint32_t;
constexpr std::uint32_t kNowhere = UINT32_MAX;
constexpr unsigned kRegs = isa::kRegCount;
/// A group spread further than this is left alone, so that the walk stays linear.
constexpr std::uint32_t kLongestGroup = 96;

/// The bytes of memory a value is made of, lowest first; everything else of it is zero.
struct Gathered {
  ValueId base = 0;
  std::uint32_t epoch = 0;      // memory has not been written between loads of one epoch
  std::uint8_t present = 0;     // bit n: byte n of the value comes from memory
  std::array<std::int32_t, 8> off{};

  explicit operator bool() const { return present != 0; }
  void keep(unsigned bytes) { present = static_cast<std::uint8_t>(present & ((1u << bytes) - 1)); }
};

struct Shifted {
  ValueId from = kNowhere;
  std::uint8_t amount = 0;
  std::uint8_t bits = 0;
  bool left = false;
};

struct Value {
  ValueId low;                  // the value this is the low half of, zero extended; itself otherwise
  std::uint32_t def = kNowhere; // instruction; kNowhere: from before the block
  Gathered bytes;
  Shifted shifted;
  // Where the last register that held it was overwritten: exactly it, or something with the same low half.
  struct Lost {
    std::uint32_t at = kNowhere;
    std::uint8_t reg = 0;
  } lost, lost_low;
};

struct Finding {
  std::uint32_t idx;
  Step step;                    // base is filled in when it is applied
  ValueId from;
  bool low_half;                // any register with this low half will do
  std::uint8_t holder;          // a register that has it just before, or kNoRegister
};

class Gatherer {
 public:
  Gatherer(std::span<const Insn> insns, const std::vector<std::uint32_t>& faulting, Plan& plan)
      : insns_(insns), faulting_(faulting), plan_(plan) {}

  /// Memory is kept from block to block: making it anew would cost more than the walk.
  void run(const Block& block) {
    block_ = block;
    first_ = block.start;
    if (!worth_a_walk()) return;
    values_.clear();
    findings_.clear();
    group_.clear();
    epoch_ = 0;
    const std::uint32_t count = block_.end - block_.start;
    users_.assign(count, 0);
    operands_.assign(count, {kNowhere, kNowhere});
    in_group_.assign(count, 0);
    for (unsigned reg = 0; reg < kRegs; ++reg) now_[reg] = fresh(kNowhere);
    for (std::uint32_t idx = block_.start; idx < block_.end; ++idx) walk(idx);
    for (unsigned reg = 0; reg < kRegs; ++reg)
      if (block_.live_out >> reg & 1) use(values_[now_[reg]].def);
    for (std::size_t i = findings_.size(); i-- > 0;) apply(findings_[i]);
  }

 private:
  /// Something must be put together by `or` or turned round.
  bool worth_a_walk() const {
    for (std::uint32_t idx = block_.start; idx < block_.end; ++idx) {
      const Insn& insn = insns_[idx];
      if ((insn.op == Op::kOr && insn.src_is_reg) || insn.op == Op::kToBe || insn.op == Op::kBswap) return true;
    }
    return false;
  }

  ValueId fresh(std::uint32_t def) {
    const auto id = static_cast<ValueId>(values_.size());
    values_.push_back(Value{.low = id, .def = def, .bytes = {}, .shifted = {}, .lost = {}, .lost_low = {}});
    return id;
  }

  void use(std::uint32_t def) {
    if (def != kNowhere) ++users_[def - first_];
  }

  void walk(std::uint32_t idx) {
    const Insn& insn = insns_[idx];
    unsigned operand = 0;
    for (unsigned reads = plan_.reads[idx]; reads != 0; reads &= reads - 1) {
      const auto reg = static_cast<unsigned>(std::countr_zero(reads));
      use(values_[now_[reg]].def);
      if (operand < 2) operands_[idx - first_][operand++] = values_[now_[reg]].def;
    }
    const bool writes_memory = insn.op == Op::kStore || insn.op >= Op::kAtomicAdd || (plan_.writes[idx] & 0x3e) == 0x3e;
    if (writes_memory) ++epoch_;
    if (plan_.writes[idx] == 0) return;
    const ValueId result = result_of(idx, insn);
    for (unsigned writes = plan_.writes[idx]; writes != 0; writes &= writes - 1) {
      const auto reg = static_cast<unsigned>(std::countr_zero(writes));
      overwrite(idx, reg, reg == insn.dst ? result : fresh(idx));
    }
  }

  void overwrite(std::uint32_t idx, unsigned reg, ValueId next) {
    const ValueId old = now_[reg];
    now_[reg] = next;
    const ValueId low = values_[old].low;
    bool exact = false, lower = false;
    for (const ValueId held : now_) {
      exact |= held == old;
      lower |= values_[held].low == low;
    }
    if (!exact) values_[old].lost = {idx, static_cast<std::uint8_t>(reg)};
    if (!lower) values_[low].lost_low = {idx, static_cast<std::uint8_t>(reg)};
  }

  ValueId result_of(std::uint32_t idx, const Insn& insn) {
    // A copy has the number of what it copies: either register will do.
    if (insn.op == Op::kMov && insn.src_is_reg && insn.bits == 64) return now_[insn.src];
    const ValueId id = fresh(idx);
    switch (insn.op) {
      case Op::kMov:
        if (insn.src_is_reg) truncate(id, now_[insn.src]);
        break;
      case Op::kLoad: load(id, idx, insn); break;
      case Op::kLsh: case Op::kRsh:
        if (!insn.src_is_reg) shift(id, insn);
        break;
      case Op::kOr: case Op::kAdd: case Op::kXor:
        if (insn.src_is_reg) combine(id, idx, insn);
        break;
      case Op::kToBe: case Op::kBswap: swap(id, idx, insn); break;
      default: break;
    }
    return id;
  }

  void truncate(ValueId id, ValueId of) {
    values_[id].low = values_[of].low;
    values_[id].bytes = values_[of].bytes;
    values_[id].bytes.keep(4);
  }

  void load(ValueId id, std::uint32_t idx, const Insn& insn) {
    if (std::binary_search(faulting_.begin(), faulting_.end(), idx)) return;
    Gathered& bytes = values_[id].bytes;
    bytes.base = now_[insn.src];
    bytes.epoch = epoch_;
    for (unsigned n = 0; n < insn.size; ++n) bytes.off[n] = insn.off + static_cast<std::int32_t>(n);
    bytes.present = static_cast<std::uint8_t>((1u << insn.size) - 1);
  }

  void shift(ValueId id, const Insn& insn) {
    const auto amount = static_cast<unsigned>(insn.imm) & (insn.bits - 1u);
    const bool left = insn.op == Op::kLsh;
    const ValueId from = now_[insn.dst];
    if (amount == 0) return;
    values_[id].shifted = {insn.bits == 32 ? values_[from].low : from, static_cast<std::uint8_t>(amount), insn.bits, left};
    const Gathered old = values_[from].bytes;
    if (!old || amount % 8 != 0) return;
    Gathered& bytes = values_[id].bytes;
    bytes = old;
    bytes.present = 0;
    const unsigned width = insn.bits / 8u;
    const unsigned by = amount / 8;
    for (unsigned n = 0; n < width; ++n) {
      if ((old.present >> n & 1) == 0) continue;
      if (left ? n + by >= width : n < by) continue;
      const unsigned to = left ? n + by : n - by;
      bytes.off[to] = old.off[n];
      bytes.present = static_cast<std::uint8_t>(bytes.present | 1u << to);
    }
  }

  void combine(ValueId id, std::uint32_t idx, const Insn& insn) {
    const Value& a = values_[now_[insn.dst]];
    const Value& b = values_[now_[insn.src]];
    if (insn.dst == insn.src) return;
    if (a.bytes && b.bytes && a.bytes.base == b.bytes.base && a.bytes.epoch == b.bytes.epoch &&
        (a.bytes.present & b.bytes.present) == 0) {
      Gathered bytes = a.bytes;
      for (unsigned n = 0; n < 8; ++n)
        if (b.bytes.present >> n & 1) bytes.off[n] = b.bytes.off[n];
      bytes.present = static_cast<std::uint8_t>(bytes.present | b.bytes.present);
      if (insn.bits == 32) bytes.keep(4);
      values_[id].bytes = bytes;
      note_word(idx, insn.dst, bytes);
      return;
    }
    const Shifted& left = a.shifted.left ? a.shifted : b.shifted;
    const Shifted& right = a.shifted.left ? b.shifted : a.shifted;
    if (left.bits == 0 || right.bits != left.bits || !left.left || right.left || left.from != right.from ||
        left.amount + right.amount != left.bits || (insn.bits == 32 && left.bits == 64))
      return;
    Step step{.action = Step::kRotate};
    step.dst = insn.dst;
    step.bits = left.bits;
    step.amount = left.amount;
    note(idx, step, left.from, left.bits == 32);
  }

  void swap(ValueId id, std::uint32_t idx, const Insn& insn) {
    const Gathered old = values_[now_[insn.dst]].bytes;
    const auto width = static_cast<unsigned>(insn.imm) / 8;
    if (!old || (old.present >> width) != 0) return;
    Gathered bytes = old;
    bytes.present = 0;
    for (unsigned n = 0; n < width; ++n) {
      if ((old.present >> n & 1) == 0) continue;
      bytes.off[width - 1 - n] = old.off[n];
      bytes.present = static_cast<std::uint8_t>(bytes.present | 1u << (width - 1 - n));
    }
    values_[id].bytes = bytes;
    note_word(idx, insn.dst, bytes);
  }

  /// Bytes that stand in memory as they stand in the value, or the other way round, are one load.
  void note_word(std::uint32_t idx, std::uint8_t dst, const Gathered& bytes) {
    const unsigned count = bytes.present == 0x03 ? 2 : bytes.present == 0x0f ? 4 : bytes.present == 0xff ? 8 : 0;
    if (count == 0 || bytes.epoch != epoch_) return;
    const std::int32_t direction = bytes.off[1] - bytes.off[0];
    if (direction != 1 && direction != -1) return;
    for (unsigned n = 1; n < count; ++n)
      if (bytes.off[n] != bytes.off[n - 1] + direction) return;
    Step step{.action = Step::kGather};
    step.dst = dst;
    step.bytes = static_cast<std::uint8_t>(count);
    step.swap = direction < 0;
    step.off = step.swap ? bytes.off[count - 1] : bytes.off[0];
    note(idx, step, bytes.base, false);
  }

  void note(std::uint32_t idx, const Step& step, ValueId from, bool low_half) {
    std::uint8_t holder = kNoRegister;
    for (std::uint8_t reg = 0; reg < kRegs && holder == kNoRegister; ++reg)
      if (low_half ? values_[now_[reg]].low == from : now_[reg] == from) holder = reg;
    findings_.push_back({idx, step, from, low_half, holder});
  }

  void apply(const Finding& found) {
    if (plan_.steps[found.idx].action != Step::kKeep || !collect(found)) return;
    Step step = found.step;
    const std::optional<std::uint32_t> at = place(found, step.base);
    if (!at) return;
    for (const std::uint32_t member : group_) {
      plan_.steps[member] = Step{.action = Step::kDrop};
      plan_.reads[member] = plan_.writes[member] = 0;
    }
    plan_.steps[*at] = step;
    plan_.reads[*at] = static_cast<RegMask>(1u << step.base);
    plan_.writes[*at] = static_cast<RegMask>(1u << step.dst);
  }

  /// Whether this instruction only makes part of the word or of the rotation, so that the group covers it.
  bool belongs(std::uint32_t idx, const Finding& found) const {
    const Insn& insn = insns_[idx];
    if (found.step.action == Step::kRotate) return insn.op == Op::kLsh || insn.op == Op::kRsh;
    switch (insn.op) {
      case Op::kLoad: case Op::kLsh: case Op::kRsh: case Op::kOr: case Op::kAdd: case Op::kXor: case Op::kToBe:
      case Op::kBswap: case Op::kMov: return true;
      default: return false;
    }
  }

  /// Fills group_ with the instruction and all that only it needs. False: others need some of it.
  bool collect(const Finding& found) {
    for (const std::uint32_t member : group_) in_group_[member - first_] = 0;
    group_.assign(1, found.idx);
    in_group_[found.idx - first_] = 1;
    for (std::size_t i = 0; i < group_.size(); ++i) {
      const std::uint32_t member = group_[i];
      // What a load reads is the base; what a rotation's shifts read is what is rotated.
      if (insns_[member].op == Op::kLoad || (found.step.action == Step::kRotate && member != found.idx)) continue;
      for (const std::uint32_t def : operands_[member - first_]) {
        if (def == kNowhere || in_group_[def - first_]) continue;
        if (plan_.steps[def].action != Step::kKeep || !belongs(def, found) || found.idx - def > kLongestGroup) return false;
        in_group_[def - first_] = 1;
        group_.push_back(def);
      }
    }
    return is_closed(found.idx);
  }

  /// Whether what members make is read by members alone.
  bool is_closed(std::uint32_t last) {
    std::uint32_t inside = 0, all = 0;
    for (const std::uint32_t member : group_) {
      if (member != last) all += users_[member - first_];
      const bool reads_members = insns_[member].op != Op::kLoad;
      for (const std::uint32_t def : operands_[member - first_])
        if (reads_members && def != kNowhere && in_group_[def - first_]) ++inside;
        else if (!reads_members && def != kNowhere && in_group_[def - first_]) return false;
    }
    return inside == all;
  }

  /// Where the new instruction can stand, and the register it takes its input from.
  std::optional<std::uint32_t> place(const Finding& found, std::uint8_t& base) {
    // The register that held the input longest, and the instruction that overwrote it, if any before the end.
    const Value& from = values_[found.from];
    const Value::Lost& lost = found.low_half ? from.lost_low : from.lost;
    std::uint32_t at = found.idx;
    base = found.holder;
    if (base == kNoRegister) {
      if (lost.at >= found.idx || !is_member(lost.at)) return std::nullopt;
      at = lost.at;
      base = lost.reg;
    }
    const unsigned dst = 1u << found.step.dst;
    for (std::uint32_t idx = at; idx < found.idx; ++idx)
      if (!is_member(idx) && ((plan_.reads[idx] | plan_.writes[idx]) & dst) != 0) return std::nullopt;
    return still_holds(base, at) ? std::optional(at) : std::nullopt;
  }

  bool is_member(std::uint32_t idx) const { return in_group_[idx - first_] != 0; }

  /// An earlier decision may have moved a write of the register up to here.
  bool still_holds(std::uint8_t base, std::uint32_t at) const {
    const std::uint32_t from = at - block_.start > kLongestGroup ? at - kLongestGroup : block_.start;
    for (std::uint32_t idx = at; idx-- > from;)
      if ((plan_.writes[idx] >> base & 1) != 0) return plan_.steps[idx].action == Step::kKeep;
    return true;
  }

  const std::span<const Insn> insns_;
  const std::vector<std::uint32_t>& faulting_;
  Plan& plan_;
  Block block_{};
  std::uint32_t first_ = 0;
  std::uint32_t epoch_ = 0;
  std::vector<Value> values_;
  std::array<ValueId, kRegs> now_{};
  std::vector<std::uint32_t> users_;                          // per instruction: how often its result is read
  std::vector<std::array<std::uint32_t, 2>> operands_;        // per instruction: who made what it reads
  std::vector<std::uint8_t> in_group_;
  std::vector<std::uint32_t> group_;
  std::vector<Finding> findings_;
};

}  // namespace

void gather_and_rotate(std::span<const Insn> insns, const std::vector<std::uint32_t>& faulting, Plan& plan) {
  Gatherer gatherer(insns, faulting, plan);
  for (const Block& block : plan.blocks) gatherer.run(block);
}

}  // namespace ring3::exec::jit
