// A program under rewriting. Instructions keep their index in the program as loaded until layout():
// a pass may change one in place, remove it, or put a sequence in its place, and jumps need no care
// before the end.
//
// Invariants: jumps of instructions that stand for themselves are relative to the loaded program; jumps
// inside a replacement are relative to the replacement and stay inside it (its end is the fall-through).
// A jump to a removed instruction leads to the next one that is left. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "isa/insn.h"

namespace ring3::rewrite {

class WorkingCopy {
 public:
  explicit WorkingCopy(std::span<const isa::Insn> insns);

  std::uint32_t size() const { return static_cast<std::uint32_t>(slots_.size()); }
  isa::Insn& at(std::uint32_t idx) { return slots_[idx]; }
  const isa::Insn& at(std::uint32_t idx) const { return slots_[idx]; }

  void remove(std::uint32_t idx) { count_[idx] = 0; }
  bool removed(std::uint32_t idx) const { return count_[idx] == 0; }
  /// Puts `sequence` (not empty) in the place of instruction idx, which must not have been replaced before.
  void replace(std::uint32_t idx, std::span<const isa::Insn> sequence);
  bool replaced(std::uint32_t idx) const { return count_[idx] > 1 || at_replacement(idx) != nullptr; }

  /// Puts `sequence` before the first instruction; jumps to that one do not lead here.
  void set_entry(std::span<const isa::Insn> sequence) { entry_.assign(sequence.begin(), sequence.end()); }
  std::uint32_t entry_size() const { return static_cast<std::uint32_t>(entry_.size()); }

  /// Where the jump of instruction idx leads: an index of the loaded program.
  std::uint32_t jump_target(std::uint32_t idx) const;

  struct Layout {
    std::vector<isa::Insn> insns;
    std::vector<std::uint32_t> original_idx;  // per instruction of `insns`
    std::vector<std::uint32_t> start;         // per loaded instruction, and one past the last
  };
  Layout layout() const;

 private:
  struct Replacement {
    std::uint32_t idx;
    std::vector<isa::Insn> insns;
  };
  const Replacement* at_replacement(std::uint32_t idx) const;

  std::vector<isa::Insn> entry_;
  std::vector<isa::Insn> slots_;
  std::vector<std::uint32_t> count_;        // instructions that stand for slot idx: 0 removed, 1 itself, …
  std::vector<Replacement> replacements_;   // sorted by idx
};

/// Operations whose `jump` field leads somewhere.
bool has_jump(isa::Op op);

}  // namespace ring3::rewrite
