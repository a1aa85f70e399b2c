#include "verifier/explore/recorder.h"

#include <algorithm>
#include <cstring>

#include "verifier/diag/kernel_log.h"
#include "verifier/domain/scalar_alu.h"

namespace ring3::verifier {
namespace {

/// Where objects of a run lie.
struct Places {
  std::uint64_t ctx;
  std::span<const ConcreteFrame> frames;
};

bool reg_covers(const RegState& reg, std::uint64_t value, const Places& places) {
  switch (reg.kind) {
    case RegKind::kScalar: return reg.val.contains(value);
    case RegKind::kStack: {
      if (reg.frameno >= places.frames.size()) return false;
      const std::uint64_t base = places.frames[reg.frameno].regs[isa::kFrameReg];
      return reg.val.contains(value - base - static_cast<std::uint64_t>(std::int64_t{reg.off}));
    }
    case RegKind::kCtx: return reg.val.contains(value - places.ctx - static_cast<std::uint64_t>(std::int64_t{reg.off}));
    default: return true;
  }
}

/// The bytes of slot `s`, lowest address first.
std::span<const std::byte, kSlotBytes> slot_bytes(const ConcreteFrame& frame, std::size_t s) {
  return frame.stack.subspan(frame.stack.size() - (s + 1) * kSlotBytes).first<kSlotBytes>();
}

bool slot_covers(const StackSlot& slot, std::span<const std::byte, kSlotBytes> bytes, const Places& places) {
  unsigned width = 0;
  while (width < kSlotBytes && slot.bytes[kSlotBytes - 1 - width] == SlotByte::kSpill) ++width;
  if (width > 0) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), width);
    // A narrow spill keeps what was known of the whole number: its low bytes are what is there.
    const bool narrow = width < kSlotBytes && slot.spilled.is_scalar();
    if (narrow ? !zero_extend(slot.spilled.val, static_cast<int>(width) * 8).contains(value) : !reg_covers(slot.spilled, value, places))
      return false;
  }
  // bytes[k] of a slot is counted from its upper end.
  for (unsigned k = 0; k < kSlotBytes; ++k)
    if (slot.bytes[k] == SlotByte::kZero && bytes[kSlotBytes - 1 - k] != std::byte{0}) return false;
  return true;
}

bool state_covers(const std::vector<FrameState>& frames, const ConcreteState& run) {
  if (frames.size() != run.frames.size()) return false;
  const Places places{run.ctx, run.frames};
  for (std::size_t f = 0; f < frames.size(); ++f) {
    for (unsigned r = 0; r < isa::kRegCount; ++r)
      if (!reg_covers(frames[f].regs[r], run.frames[f].regs[r], places)) return false;
    for (std::size_t s = 0; s < frames[f].stack.size() && (s + 1) * kSlotBytes <= run.frames[f].stack.size(); ++s)
      if (!slot_covers(frames[f].stack[s], slot_bytes(run.frames[f], s), places)) return false;
  }
  return true;
}

}  // namespace

Witness::Witness(bool with_text) : impl_(std::make_unique<Impl>()) { impl_->with_text = with_text; }
Witness::~Witness() = default;

void Witness::Impl::record(const Program& prog, const PathState& path) {
  on_wrong_guess = path.speculative;
  on_widened = path.widened;
  if (path.speculative) return;
  const isa::Insn& insn = prog.insn(path.insn_idx);
  const bool load = insn.op == isa::Op::kLoad || insn.op == isa::Op::kLoadSx;
  const RegState& base = path.reg(load ? insn.src : insn.dst);
  const bool access = load || insn.op == isa::Op::kStore || insn.op >= isa::Op::kAtomicAdd;
  accessed_somewhere |= access && base.kind == RegKind::kStack && !base.val.is_const();
  if (++count > kMostStates) return;
  at.resize(prog.size());
  State state{.frames = {}, .from = path.prev_idx, .text = {}};
  for (const FramePtr& frame : path.frames) state.frames.push_back(*frame);
  for (unsigned r = 0; with_text && r < isa::kRegCount; ++r)
    if (path.reg(r).kind != RegKind::kNotInit) state.text += " r" + std::to_string(r) + "=" + reg_text(prog, path.frame(), path.reg(r));
  at[path.insn_idx].push_back(std::move(state));
}

bool Witness::covers(const ConcreteState& run) const {
  if (impl_->count > Impl::kMostStates) return true;
  if (run.idx >= impl_->at.size()) return false;
  for (const Impl::State& state : impl_->at[run.idx])
    if (state_covers(state.frames, run)) return true;
  return false;
}

Belief Witness::belief(std::uint32_t from, std::uint32_t idx, unsigned regno) const {
  Belief out;
  if (impl_->count > Impl::kMostStates) return {.walked = true};
  if (idx >= impl_->at.size()) return out;
  for (const Impl::State& state : impl_->at[idx]) {
    if (state.from != from) continue;
    const RegState& reg = state.frames.back().regs[regno];
    out.only_numbers = (out.only_numbers || !out.walked) && reg.is_scalar();
    out.walked = true;
    const auto &full = reg.val.full;
    const auto &sub = reg.val.sub;
    out.smin = std::min(out.smin, full.smin), out.smax = std::max(out.smax, full.smax);
    out.umin = std::min(out.umin, full.umin), out.umax = std::max(out.umax, full.umax);
    out.smin32 = std::min(out.smin32, sub.smin), out.smax32 = std::max(out.smax32, sub.smax);
    out.umin32 = std::min(out.umin32, sub.umin), out.umax32 = std::max(out.umax32, sub.umax);
  }
  return out;
}

bool Witness::accessed_somewhere() const { return impl_->accessed_somewhere; }

bool Witness::ended_on_widened() const { return impl_->on_widened; }

bool Witness::ended_on_wrong_guess() const { return impl_->on_wrong_guess; }

std::string Witness::text(std::uint32_t idx) const {
  std::string out;
  if (idx < impl_->at.size())
    for (const Impl::State& state : impl_->at[idx]) out += state.text + "\n";
  return out;
}

}  // namespace ring3::verifier
