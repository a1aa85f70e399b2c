// Objects that host functions keep in the program's stack (iterators, dynptrs): whole slots at a constant offset.
#pragma once

#include <string_view>

#include "verifier/verification.h"

namespace ring3::verifier {

struct StackPlace {
  std::uint32_t frame = 0;
  std::uint32_t first = 0;   // slot at the lowest address; the others are first - 1, first - 2, …
  std::uint32_t count = 0;

  std::uint64_t slots() const {
    std::uint64_t mask = 0;
    for (std::uint32_t i = 0; i < count; ++i) mask |= std::uint64_t{1} << (first - i);
    return mask;
  }
  /// Null: beyond what the frame has used so far.
  StackSlot* slot(PathState& path, std::uint32_t i) const {
    SlotStack& stack = path.frames[frame]->stack;
    return first - i < stack.size() ? &stack[first - i] : nullptr;
  }
};

/// Where an object of `slots` slots lies that stack pointer `regno` points to. what: "iter", "dynptr".
Result<StackPlace> stack_place(Step& step, unsigned regno, std::uint32_t slots, std::string_view what);

/// Makes room for the object: its slots may be written, and are.
Result<void> write_stack_place(Step& step, unsigned regno, const StackPlace& place);

}  // namespace ring3::verifier
