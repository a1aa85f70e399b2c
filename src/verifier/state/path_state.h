// Everything known on one path at one instruction: frames, references, sections.
//
// Frames are pooled: a path that forks copies into recycled frames, so exploring allocates only while the
// pool grows. A PathState is owned by the search: either the current path, a pending branch, or a checkpoint
// kept for pruning (explore/).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "base/inline_vector.h"
#include "verifier/state/arena.h"
#include "verifier/state/frame_state.h"
#include "verifier/state/value_set.h"

namespace ring3::verifier {

/// One acquired reference.
struct Reference {
  std::uint32_t id = 0;
  std::uint32_t insn_idx = 0;
  std::uint32_t frameno = 0;  // frame that acquired it; a callback may not release its callers'
  friend bool operator==(const Reference&, const Reference&) = default;
};

/// A register or spilled number of some frame.
struct LinkedValue {
  std::uint8_t frame : 3;
  std::uint8_t is_slot : 1;
  std::uint8_t number;  // rn, or slot n
};

/// Numbers that one jump narrowed together, in whatever frames. No more than Linux takes: the rest are no longer linked.
class LinkedValues {
 public:
  bool full() const { return count_ == kMost; }
  void push_back(LinkedValue value) { values_[count_++] = value; }
  std::uint32_t size() const { return count_; }
  const LinkedValue* begin() const { return values_; }
  const LinkedValue* end() const { return values_ + count_; }

 private:
  static constexpr std::uint8_t kMost = 6;
  std::uint8_t count_ = 0;
  LinkedValue values_[kMost];
};
static_assert(kMaxFrames <= 8);

/// One executed instruction since the last checkpoint, for precision tracking (precision/backtrack.h).
struct HistoryEntry {
  static constexpr std::uint8_t kDoesMore = 0xff;

  std::uint32_t idx;
  std::uint8_t frameno = 0;        // frame that executed it
  bool callback_exit = false;      // an exit that returned to a helper, not to its caller
  bool stack_access = false;       // the load or store went to stack slot `slot` of frame `slot_frame`
  std::uint8_t slot_frame = 0;
  std::uint8_t slot = 0;
  bool dst_on_stack = false;       // a comparison's operand was a stack pointer: no number to rely on
  bool src_on_stack = false;
  std::uint8_t only_makes = kDoesMore;  // the one register that the instruction makes, if it does nothing else
  LinkedValues linked{};           // narrowed together by this jump (scalar ids)
};

/// The spin lock a path holds: which object's (a map, or the type of an allocated object), which instance.
struct HeldLock {
  bool held = false;
  bool in_map = false;
  std::uint32_t object = 0;  // map index, or index of the object's BTF
  std::uint32_t id = 0;      // the pointer it was taken through

  /// The lock of the value or object the register points to.
  static HeldLock of(const RegState& reg) {
    const bool in_map = reg.kind == RegKind::kMapValue;
    return {.held = true, .in_map = in_map, .object = in_map ? reg.map : reg.btf, .id = reg.id};
  }
  bool covers(const RegState& reg) const { return *this == of(reg); }
  friend bool operator==(const HeldLock&, const HeldLock&) = default;
};

struct Checkpoint;

class FramePool;
struct FrameRelease {
  FramePool* pool = nullptr;
  void operator()(FrameState* frame) const;
};
using FramePtr = std::unique_ptr<FrameState, FrameRelease>;

/// Recycles frames and histories. Outlives every path. Frames live in an arena, and all they hold as well: nothing ends them.
class FramePool {
 public:
  explicit FramePool(ChunkCache* cache = nullptr) : memory_(cache) {}
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  FramePtr make();
  FramePtr copy(const FrameState& from);
  void give_back(FrameState* frame) noexcept;
  /// An empty one, perhaps with room.
  std::vector<HistoryEntry> make_history();
  void give_back(std::vector<HistoryEntry>&& history);
  /// Of all frames and their stacks.
  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  static constexpr std::size_t kMostHistories = 128;  // kept for later

  void* new_place();

  Arena memory_;
  std::size_t made_ = 0;           // frames, used or free
  std::vector<FrameState*> free_;  // has room for every frame
  std::vector<std::vector<HistoryEntry>> histories_;
};

struct PathState {
  InlineVector<FramePtr, kMaxFrames> frames;  // main first, current last
  std::vector<Reference> refs;
  std::vector<HistoryEntry> history;       // since `parent`
  Checkpoint* parent = nullptr;            // last checkpoint on this path
  ValueSet written;                        // overwritten since `parent`, whatever they held: reading them looks at nothing of its
  std::uint32_t insn_idx = 0;
  std::uint32_t prev_idx = 0;
  std::uint32_t rcu_depth = 0;
  std::uint32_t preempt_depth = 0;
  std::uint32_t branch_depth = 0;          // forks taken on this path
  HeldLock lock;
  bool in_sleepable = false;
  bool speculative = false;                // what the CPU may do after a wrong guess, not what the program does
  bool dead = false;                       // contradicts itself: cannot happen, not walked
  bool widened = false;                    // less is known of some number than the path made of it; only for witnesses

  FrameState& frame() { return *frames.back(); }
  const FrameState& frame() const { return *frames.back(); }
  std::uint32_t depth() const { return static_cast<std::uint32_t>(frames.size()) - 1; }
  RegState& reg(unsigned i) { return frame().regs[i]; }
  const RegState& reg(unsigned i) const { return frame().regs[i]; }
  bool has_ref(std::uint32_t id) const {
    for (const Reference& r : refs)
      if (r.id == id) return true;
    return false;
  }

  /// Deep copy; parent included, and the history.
  PathState fork(FramePool& pool) const;
  /// The same with an empty history.
  PathState fork_state(FramePool& pool) const;

  /// Calls visit(RegState&) for every register and every spilled register of every frame.
  template <typename Visit>
  void for_each_reg(Visit&& visit) {
    for (FramePtr& f : frames) {
      for (RegState& r : f->regs) visit(r);
      for (StackSlot& s : f->stack)
        if (s.is_spilled()) visit(s.spilled);
    }
  }
};

}  // namespace ring3::verifier
