// The program's stack, byte by byte: spilled registers, zeroes, other written bytes, nothing.
//
// Soundness: a slot that holds a spilled register is believed only while its bytes are untouched; any write
// to a part of it turns the rest into ordinary bytes. A write at a variable offset may have hit any byte of
// its range, so it erases what was known of all of them and makes nothing readable that was not.
// Bytes of value zero are known through the register or immediate that was stored; that register is made
// precise, so a zero byte compares like a constant.
#include <algorithm>

#include "verifier/domain/scalar_alu.h"
#include "verifier/flow/flow.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/dynptr.h"
#include "verifier/transfer/regs.h"
#include "verifier/transfer/speculation.h"

namespace ring3::verifier {
namespace {

enum class Why : std::uint8_t { kDirectRead, kDirectWrite, kCallee };

const char* why_text(Why why) {
  switch (why) {
    case Why::kDirectRead: return " read from";
    case Why::kDirectWrite: return " write to";
    case Why::kCallee: return " indirect access to";
  }
  return "";
}

std::uint32_t slot_of(std::int64_t off) { return static_cast<std::uint32_t>((-off - 1) / kSlotBytes); }
std::uint32_t byte_of(std::int64_t off) { return static_cast<std::uint32_t>((-off - 1) % kSlotBytes); }

void grow(Step& step, FrameState& frame, std::int64_t lowest) {
  const auto slots = static_cast<std::size_t>((-lowest + kSlotBytes - 1) / kSlotBytes);
  if (frame.stack.size() < slots) frame.stack.resize(slots);
  std::uint32_t& most = step.prog.subprogs[frame.subprog].stack_bytes;
  most = std::max(most, static_cast<std::uint32_t>(slots * kSlotBytes));
}

void touch(Step& step, const FrameState& frame, std::uint32_t slot) {
  if (&frame == &step.path.frame()) step.diag.scratched.slots |= std::uint64_t{1} << slot;
}

void note_slot(Step& step, std::uint32_t frameno, std::uint32_t slot) {
  step.entry->stack_access = true;
  step.entry->slot_frame = static_cast<std::uint8_t>(frameno);
  step.entry->slot = static_cast<std::uint8_t>(slot);
}

/// [lo, hi) of the bytes an access may touch.
struct Span {
  std::int64_t lo, hi;
  bool exact;  // constant offset
};

std::uint64_t slots_of(const Span& span) {
  std::uint64_t slots = 0;
  for (std::uint32_t s = slot_of(span.hi - 1); span.lo < span.hi && s <= slot_of(span.lo); ++s) slots |= std::uint64_t{1} << s;
  return slots;
}

/// A whole slot loaded into a register that nothing reads: whatever is there may be loaded.
bool looks_away(const Step& step, const Access& access, std::int64_t off) {
  return step.prog.stores_forget && access.value != kNoReg && access.size == kSlotBytes && off % kSlotBytes == 0 &&
         (step.prog.live_in[step.idx + 1] >> access.value & 1) == 0;
}

Result<Span> check_bounds(Step& step, unsigned regno, std::int32_t off, std::uint32_t size, Why why) {
  const RegState& reg = step.reg(regno);
  const bool exact = reg.val.is_const();
  Span span{};
  if (exact) {
    const std::int64_t at = static_cast<std::int64_t>(reg.val.const_value()) + off;
    span = {at, at + size, true};
  } else {
    if (smax(reg) >= kMaxVarOff || smin(reg) <= -kMaxVarOff)
      return step.diag.refuse(Rule::kUnboundedStack, {why_text(why), regno});
    span = {smin(reg) + off, smax(reg) + off + size, false};
  }
  const std::int64_t lowest = -static_cast<std::int64_t>(step.prog.limits.max_stack_bytes);
  FrameState& frame = *step.path.frames[reg.frameno];
  const bool may_be_new = why != Why::kDirectRead || step.prog.allow_uninit_stack;
  const std::int64_t valid_from = may_be_new ? lowest : -static_cast<std::int64_t>(frame.stack_bytes());
  if (span.lo < valid_from || span.lo > -1 || span.hi > 0) {
    const Errno error = span.lo < valid_from || span.lo > -1 ? Errno::kAcces : Errno::kInval;
    if (exact) return step.diag.refuse_as(error, Rule::kStackBounds, {why_text(why), regno, off, size});
    return step.diag.refuse_as(error, Rule::kStackVarBounds, {why_text(why), regno, tnum_text(reg.val), off, size});
  }
  note_stack_use(step.prog, frame.subprog, step.idx, span.lo);
  grow(step, frame, span.lo);
  return span;
}

/// What is left of a spilled register when a part of its slot is overwritten: ordinary bytes, as on Linux the zeroes beside it too.
void scrub(StackSlot& slot) {
  if (slot.is_spilled())
    for (SlotByte& b : slot.bytes)
      if (b != SlotByte::kInvalid) b = SlotByte::kMisc;
  slot.spilled = RegState{};
}

/// Stores a register's state; bytes beyond its width keep being zero or nothing, else become ordinary.
void spill(Step& step, FrameState& frame, std::uint32_t slot_no, const RegState& value, std::uint8_t size) {
  StackSlot& slot = frame.stack[slot_no];
  slot.spilled = value;
  slot.spilled.written = size == kSlotBytes;
  for (unsigned i = 0; i < kSlotBytes; ++i) {
    SlotByte& b = slot.bytes[i];
    if (i >= static_cast<unsigned>(kSlotBytes - size)) b = SlotByte::kSpill;
    else if (b == SlotByte::kSpill) b = SlotByte::kMisc;
  }
  touch(step, frame, slot_no);
}

bool writes_zero(Step& step, const Access& access) {
  if (access.is_imm) return access.imm == 0;
  return access.value != kNoReg && is_null_constant(step.reg(static_cast<unsigned>(access.value)));
}

Result<void> write_bytes(Step& step, FrameState& frame, const Access& access, std::int64_t off) {
  StackSlot& slot = frame.stack[slot_of(off)];
  const bool zero = writes_zero(step, access);
  if (zero && !access.is_imm) RING3_TRY(step.search.mark_precise(step.path, static_cast<unsigned>(access.value)));
  scrub(slot);
  for (unsigned i = 0; i < access.size; ++i)
    slot.bytes[byte_of(off + i)] = zero ? SlotByte::kZero : SlotByte::kMisc;
  touch(step, frame, slot_of(off));
  return {};
}

Result<void> write_exact(Step& step, const Access& access, std::uint32_t frameno, std::int64_t off) {
  FrameState& frame = *step.path.frames[frameno];
  RING3_TRY(overwrite_dynptr(step, frameno, slot_of(off)));
  const bool at_slot = off % kSlotBytes == 0;
  if (!step.prog.stores_forget) step.search.looks_at(step.path, frameno, std::uint64_t{1} << slot_of(off));
  if (at_slot && access.size == kSlotBytes) step.path.written.add_slots(frameno, std::uint64_t{1} << slot_of(off));
  StackSlot& slot = frame.stack[slot_of(off)];
  if (!step.prog.allow_ptr_leaks && slot.holds_address() && access.size != kSlotBytes)
    return step.diag.refuse(Rule::kCorruptSpill);
  note_stack_store(step, access, slot, byte_of(off));
  const bool tracked = at_slot && step.prog.track_spilled_numbers;
  if (access.is_imm) {
    if (!tracked) return write_bytes(step, frame, access, off);
    RegState value;
    set_constant(value, static_cast<std::uint64_t>(access.imm) & (~std::uint64_t{0} >> (64 - access.size * 8)));
    spill(step, frame, slot_of(off), value, access.size);
    note_slot(step, frameno, slot_of(off));
    return {};
  }
  if (access.value == kNoReg) return write_bytes(step, frame, access, off);
  RegState& value = step.reg(static_cast<unsigned>(access.value));
  if (value.is_pointer()) {
    if (access.size != kSlotBytes || !at_slot) {
      if (access.size != kSlotBytes || !step.prog.allow_ptr_leaks) return step.diag.refuse(Rule::kSpillSize);
      return write_bytes(step, frame, access, off);
    }
    if (frameno != step.path.depth() && value.kind == RegKind::kStack)
      return step.diag.refuse(Rule::kSpillStackPointer);
    spill(step, frame, slot_of(off), value, kSlotBytes);
    note_slot(step, frameno, slot_of(off));
    return {};
  }
  if (!tracked) return write_bytes(step, frame, access, off);
  const bool whole = value_bits(value) <= access.size * 8u;
  if (whole) link_before_copy(step, value);
  RegState stored = value;
  // Its low bytes are what is there: whoever fills takes no more of it.
  if (!whole) unlink(stored);
  spill(step, frame, slot_of(off), stored, access.size);
  note_slot(step, frameno, slot_of(off));
  return {};
}

/// Any byte of the span may have been hit.
Result<void> write_somewhere(Step& step, const Access& access, std::uint32_t frameno, const Span& span) {
  FrameState& frame = *step.path.frames[frameno];
  if (access.value != kNoReg && step.reg(static_cast<unsigned>(access.value)).is_pointer() && !step.prog.allow_ptr_leaks)
    return step.diag.refuse(Rule::kLeaksIntoMem, {access.value, "mem"});
  const bool zero = writes_zero(step, access);
  if (!step.prog.stores_forget) step.search.looks_at(step.path, frameno, slots_of(span));
  bool zero_used = false;
  for (std::int64_t at = span.lo; at < span.hi; ++at) {
    StackSlot& slot = frame.stack[slot_of(at)];
    if (slot.holds_address() && !step.prog.allow_ptr_leaks) return step.diag.refuse(Rule::kVarWriteOverPointer, {step.idx, at});
    RING3_TRY(overwrite_dynptr(step, frameno, slot_of(at)));
    SlotByte& b = slot.bytes[byte_of(at)];
    touch(step, frame, slot_of(at));
    // A zero written over zeroes changes nothing, wherever it went.
    const bool stays_zero = zero && (b == SlotByte::kZero || (b == SlotByte::kSpill && is_null_constant(slot.spilled)));
    zero_used |= stays_zero;
    if (stays_zero) continue;
    if (slot.is_spilled()) scrub(slot);
    if (b == SlotByte::kInvalid && !step.prog.allow_uninit_stack)
      return step.diag.refuse(Rule::kUninitVarWrite, {step.idx, at});
    // A byte that was nothing stays unreadable as anything known.
    if (b != SlotByte::kInvalid) b = SlotByte::kMisc;
  }
  if (zero_used && !access.is_imm) return step.search.mark_precise(step.path, static_cast<unsigned>(access.value));
  return {};
}

/// What size bytes at `off`, none of them part of a usable spill, hold.
Result<bool> read_bytes(Step& step, const FrameState& frame, std::int64_t off, std::uint8_t size) {
  unsigned zeroes = 0;
  for (unsigned i = 0; i < size; ++i) {
    const SlotByte b = frame.stack[slot_of(off + i)].bytes[byte_of(off + i)];
    switch (b) {
      case SlotByte::kZero: ++zeroes; continue;
      case SlotByte::kMisc:
      case SlotByte::kSpill: continue;
      case SlotByte::kInvalid:
        if (step.prog.allow_uninit_stack) continue;
        return step.diag.refuse(Rule::kUninitStackRead, {off, i, size});
      case SlotByte::kDynptr:
      case SlotByte::kIter: return step.diag.refuse(Rule::kUninitStackRead, {off, i, size});
    }
  }
  return zeroes == size;
}

bool is_inside_spill(const StackSlot& slot, std::int64_t off, std::uint8_t size) {
  for (unsigned i = 0; i < size; ++i)
    if (slot.bytes[byte_of(off + i)] != SlotByte::kSpill) return false;
  return true;
}

Result<void> read_spilled(Step& step, const Access& access, std::uint32_t frameno, std::int64_t off) {
  FrameState& frame = *step.path.frames[frameno];
  const std::uint32_t slot_no = slot_of(off);
  StackSlot& slot = frame.stack[slot_no];
  unsigned width = 0;
  while (width < kSlotBytes && slot.bytes[kSlotBytes - 1 - width] == SlotByte::kSpill) ++width;
  if (slot.holds_address()) {
    if (access.size != kSlotBytes || off % kSlotBytes != 0) return step.diag.refuse(Rule::kFillSize);
    if (access.value == kNoReg) {
      if (!step.prog.allow_ptr_leaks) return step.diag.refuse(Rule::kLeakFromStack, {off});
      return {};
    }
    step.reg(static_cast<unsigned>(access.value)) = slot.spilled;
    step.reg(static_cast<unsigned>(access.value)).written = true;
    note_slot(step, frameno, slot_no);
    return {};
  }
  const bool from_start = off % kSlotBytes == 0 && access.size <= width;
  if (!from_start) {
    bool all_of_it = true;
    for (unsigned i = 0; i < access.size; ++i)
      all_of_it &= slot_of(off + i) == slot_no && slot.bytes[byte_of(off + i)] == SlotByte::kSpill;
    if (all_of_it && is_null_constant(slot.spilled)) {
      // Every byte of zero is zero; who relies on it relies on the register.
      if (access.value != kNoReg) set_constant(step.reg(static_cast<unsigned>(access.value)), 0);
      note_slot(step, frameno, slot_no);
      return {};
    }
    const bool zero = RING3_TRY(read_bytes(step, frame, off, access.size));
    if (access.value == kNoReg) return {};
    RegState& dst = step.reg(static_cast<unsigned>(access.value));
    // Any part of a stored zero is zero, as long as the stored register is: the slot is what the part was made of.
    const bool part_of_zero = is_null_constant(slot.spilled) && is_inside_spill(slot, off, access.size);
    if (part_of_zero) note_slot(step, frameno, slot_no);
    if (zero || part_of_zero) set_constant(dst, 0);
    else load_unknown(step, access);
    return {};
  }
  if (access.value == kNoReg) return {};
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  const int bits = access.size * 8;
  const bool whole = value_bits(slot.spilled) <= static_cast<unsigned>(bits);
  if (whole && !access.sign_extend) link_before_copy(step, slot.spilled);
  dst = slot.spilled;
  dst.written = true;
  dst.precise = false;
  if (!whole || access.sign_extend) unlink(dst);
  dst.val = access.sign_extend ? sign_extend(dst.val, bits) : zero_extend(dst.val, bits);
  note_slot(step, frameno, slot_no);
  return {};
}

Result<void> read_exact(Step& step, const Access& access, std::uint32_t frameno, std::int64_t off) {
  FrameState& frame = *step.path.frames[frameno];
  touch(step, frame, slot_of(off));
  if (!looks_away(step, access, off)) step.search.looks_at(step.path, frameno, slots_of({off, off + access.size, true}));
  if (frame.stack[slot_of(off)].is_spilled()) return read_spilled(step, access, frameno, off);
  const bool zero = RING3_TRY(read_bytes(step, frame, off, access.size));
  if (access.value == kNoReg) return {};
  if (zero) set_constant(step.reg(static_cast<unsigned>(access.value)), 0);
  else load_unknown(step, access);
  return {};
}

/// Masks (transfer/speculation.h) keep pointers inside the stack, not inside one slot of it.
Result<void> check_constant_offset(Step& step, unsigned regno, const Span& span, const char* how) {
  if (span.exact || !step.prog.follow_wrong_guesses) return {};
  return step.diag.refuse(Rule::kStackVarUnprivileged, {regno, how, tnum_text(step.reg(regno).val)});
}

/// Who reads. What a call was given counts as written afterwards, whatever is there.
enum class Reader : std::uint8_t { kProgram, kCall, kWritingCall };

/// Every byte of the span may be read as plain data.
Result<void> check_readable(Step& step, unsigned regno, std::int32_t off, std::uint32_t size, std::uint32_t frameno,
                            const Span& span, Reader reader, const char* how) {
  FrameState& frame = *step.path.frames[frameno];
  step.search.looks_at(step.path, frameno, slots_of(span));
  for (std::int64_t at = span.lo; at < span.hi; ++at) {
    StackSlot& slot = frame.stack[slot_of(at)];
    SlotByte& b = slot.bytes[byte_of(at)];
    if (b == SlotByte::kMisc) continue;
    if (b == SlotByte::kZero || (b == SlotByte::kInvalid && step.prog.allow_uninit_stack)) {
      if (reader == Reader::kWritingCall || (reader == Reader::kCall && b == SlotByte::kInvalid)) b = SlotByte::kMisc;
      continue;
    }
    if (b == SlotByte::kSpill && (slot.spilled.is_scalar() || step.prog.allow_ptr_leaks)) {
      if (reader == Reader::kWritingCall) scrub(slot);
      continue;
    }
    if (span.exact) return step.diag.refuse(Rule::kStackNotInitialized, {how, regno, off, at - span.lo, size});
    const std::string var = tnum_text(step.reg(regno).val);
    return step.diag.refuse(Rule::kStackVarNotInitialized, {how, regno, var, at - span.lo, size});
  }
  return {};
}

}  // namespace

Result<void> access_stack(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  const std::uint32_t frameno = reg.frameno;
  const Span span = RING3_TRY(check_bounds(step, access.base, off, access.size, access.write ? Why::kDirectWrite : Why::kDirectRead));
  RING3_TRY(check_constant_offset(step, access.base, span, ""));
  if (span.exact) return access.write ? write_exact(step, access, frameno, span.lo) : read_exact(step, access, frameno, span.lo);
  if (access.write) return write_somewhere(step, access, frameno, span);
  RING3_TRY(check_readable(step, access.base, off, access.size, frameno, span, Reader::kProgram, ""));
  load_unknown(step, access);
  return {};
}

Result<void> region_on_stack(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, Purpose purpose, bool uninit) {
  const RegState& reg = step.reg(regno);
  if (size == 0 && !zero_ok) return step.diag.refuse(Rule::kZeroSizedRead);
  const std::uint32_t frameno = reg.frameno;
  const Span span = RING3_TRY(check_bounds(step, regno, reg.off, size, Why::kCallee));
  RING3_TRY(check_constant_offset(step, regno, span, " indirect"));
  if (size == 0) return {};
  if (uninit && span.exact && purpose == Purpose::kWrite) {
    FrameState& frame = *step.path.frames[frameno];
    if (!step.prog.stores_forget) step.search.looks_at(step.path, frameno, slots_of(span));
    for (std::int64_t at = span.lo; at < span.hi; ++at) {
      const StackSlot& slot = frame.stack[slot_of(at)];
      if (slot.bytes[byte_of(at)] == SlotByte::kDynptr) return step.diag.refuse(Rule::kDynptrPotentialWrite, {at});
      if (!step.prog.allow_ptr_leaks && slot.holds_address()) return step.diag.refuse(Rule::kCorruptSpill);
    }
    return {};
  }
  const Reader reader = purpose == Purpose::kRead ? Reader::kCall : Reader::kWritingCall;
  return check_readable(step, regno, reg.off, size, frameno, span, reader, " indirect");
}

Result<void> touch_lent_stack(Step& step, const RegState& slice, std::int32_t off, std::uint32_t size, bool write) {
  FrameState& frame = *step.path.frames[slice.frameno];
  const std::int64_t base = std::int64_t{slice.delta} + off;
  const std::int64_t lo = base + smin(slice), hi = base + static_cast<std::int64_t>(umax(slice)) + size;
  step.search.looks_at(step.path, slice.frameno, slots_of({lo, hi, false}));
  for (std::int64_t at = lo; at < hi; ++at) {
    StackSlot& slot = frame.stack[slot_of(at)];
    SlotByte& b = slot.bytes[byte_of(at)];
    if (!step.prog.allow_ptr_leaks && slot.holds_address()) return step.diag.refuse(write ? Rule::kCorruptSpill : Rule::kLeakFromStack, {at});
    const bool object = b == SlotByte::kDynptr || b == SlotByte::kIter;
    if (object && (write || !step.prog.allow_ptr_leaks)) return step.diag.refuse(Rule::kSliceOverObject, {at});
    if (!write) continue;
    if (slot.is_spilled()) scrub(slot);
    if (b != SlotByte::kInvalid) b = SlotByte::kMisc;
    touch(step, frame, slot_of(at));
  }
  return {};
}

void mark_region_written(Step& step, const RegState& ptr, std::uint32_t size) {
  if (ptr.kind != RegKind::kStack || !ptr.val.is_const()) return;
  FrameState& frame = *step.path.frames[ptr.frameno];
  const std::int64_t lo = static_cast<std::int64_t>(ptr.val.const_value()) + ptr.off;
  for (std::int64_t at = lo; at < lo + size; ++at) {
    StackSlot& slot = frame.stack[slot_of(at)];
    if (slot.is_spilled()) scrub(slot);
    slot.bytes[byte_of(at)] = SlotByte::kMisc;
    touch(step, frame, slot_of(at));
    const bool whole = at % kSlotBytes == 0 && at + kSlotBytes <= lo + size;
    if (whole) step.path.written.add_slots(ptr.frameno, std::uint64_t{1} << slot_of(at));
  }
}

}  // namespace ring3::verifier
