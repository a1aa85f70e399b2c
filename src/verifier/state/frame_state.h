// One function's registers and stack on one path.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "isa/insn.h"
#include "model/helper.h"
#include "verifier/state/reg_state.h"

namespace ring3::verifier {

/// What a byte of stack holds.
enum class SlotByte : std::uint8_t { kInvalid, kSpill, kMisc, kZero, kDynptr, kIter };
/// The kernel log's letters, in the order of SlotByte.
inline constexpr char kSlotLetters[] = "?rm0di";

inline constexpr int kSlotBytes = 8;

static_assert(static_cast<unsigned>(SlotByte::kDynptr) == 4 && static_cast<unsigned>(SlotByte::kIter) == 5, "StackSlot::has_object() looks at one bit");

/// A thing that goes on step by step and ends by itself (explore/progress.h).
struct Instance {
  std::uint32_t number = 0;  // younger ones have higher numbers; 0: none
  std::uint32_t steps = 0;   // on this path
  friend bool operator==(const Instance&, const Instance&) = default;
};

/// An object of the host's that lives in the program's stack: an iterator or a dynptr. Every slot it covers carries one of
/// these; of an iterator only the first (lowest address) owns the reference.
struct SlotObject {
  enum class State : std::uint8_t { kActive, kDrained } state = State::kActive;
  bool first = false;
  bool rcu = false;             // valid while the read section lasts
  bool untrusted = false;       // made or left outside one: of no use
  model::DynptrKind dynptr = model::kDynptrAny;  // a dynptr: its kind, …
  std::uint32_t id = 0;         // … and what its slices are known by
  std::uint32_t btf = 0;        // an iterator: index into Program::btfs
  std::uint32_t type = 0;       // struct id there
  std::uint32_t ref_obj_id = 0;
  std::uint32_t instance = 0;   // its number as an Instance, …
  std::uint32_t depth = 0;      // … and its steps: times it was advanced on this path

  friend bool operator==(const SlotObject&, const SlotObject&) = default;
};

/// Eight bytes of stack. Slot i covers [fp - 8(i+1), fp - 8i); byte 7 of `bytes` is the lowest address's
/// opposite end: bytes[k] is the byte at fp - 8i - 1 - k.
/// A spilled register has bytes[7] == kSpill; a spilled scalar narrower than 8 bytes fills only the bytes
/// of its width (the low addresses, so indexes 7, 6, …).
struct StackSlot {
  RegState spilled{};
  std::array<SlotByte, kSlotBytes> bytes{};
  SlotObject object{};  // meaningful where bytes are kIter or kDynptr

  bool is_all(SlotByte kind) const { return packed() == 0x0101010101010101u * static_cast<std::uint64_t>(kind); }
  bool is_object(SlotByte kind) const { return is_all(kind); }
  /// A part of an iterator or a dynptr lies here.
  bool has_object() const { return (packed() & 0x0404040404040404u) != 0; }
  bool is_spilled() const { return bytes[kSlotBytes - 1] == SlotByte::kSpill; }
  bool is_full_spill() const { return bytes[0] == SlotByte::kSpill; }
  /// An address is there. Also one that the path has lost: nothing is known of it any more, but its bytes still tell it.
  bool holds_address() const { return is_full_spill() && !spilled.is_scalar(); }
  bool holds_anything() const { return packed() != 0; }
  /// All bytes as one number, to look at them at once.
  std::uint64_t packed() const { return std::bit_cast<std::uint64_t>(bytes); }
};

/// Why a frame was entered.
enum class FrameRole : std::uint8_t { kMain, kCall, kCallback, kAsyncCallback, kExceptionCallback };

/// The memory is that of the pool the frame is from (state/path_state.h); of a frame made elsewhere, the heap.
using SlotStack = std::pmr::vector<StackSlot>;

/// What a frame holds besides its stack.
struct FrameFacts {
  std::array<RegState, isa::kRegCount> regs{};
  std::uint32_t callsite = kNoIndex;   // instruction of the call
  std::uint32_t frameno = 0;
  std::uint32_t subprog = 0;
  FrameRole role = FrameRole::kMain;
  std::uint32_t callback_depth = 0;    // callbacks run so far from the current call, saturating
  Instance may_gotos;                  // passed in this entry of the function
  Instance callbacks;                  // run so far by the call that is going on; none while no call runs any
  std::uint32_t lent_dynptr = 0;       // kCallback: id of the dynptr it got as an argument
  std::int32_t ret_min = 0, ret_max = 0;  // kCallback: allowed R0
};

struct FrameState : FrameFacts {
  SlotStack stack{};  // grows downwards: stack[0] is [fp-8, fp)

  RegState& reg(unsigned i) { return regs[i]; }
  const RegState& reg(unsigned i) const { return regs[i]; }
  std::uint32_t stack_bytes() const { return static_cast<std::uint32_t>(stack.size()) * kSlotBytes; }
};

}  // namespace ring3::verifier
