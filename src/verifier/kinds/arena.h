// Pointers into the program's arena: what a cast from the client's address space gives.
//
// Only the low half of one counts; what runs adds it to the arena's window of 4 GiB, in which every access, with any
// offset of an instruction, is the arena's memory or a fault that does no harm: a load that faults gives 0, a store does
// nothing (maps/arena.h, rewrite/arena_accesses.cc). So there are no bounds to check, and any arithmetic is allowed.
//
// Soundness: the upper half of a register of this kind is 0 at run time, because the cast clears it and every operation whose
// result is of this kind runs on 32 bits. One instruction may not make such a result on one path and a number on another.
#pragma once

#include "verifier/kinds/access.h"

namespace ring3::verifier {

Result<void> access_arena(Step& step, const Access& access);
/// dst = src in the other address space.
Result<void> transfer_arena_cast(Step& step);

/// The operation on dst and src gives an arena pointer.
bool is_arena_arith(const RegState& dst, const RegState& src);
Result<void> transfer_arena_arith(Step& step, RegState& dst);
/// The instruction's result is an arena pointer, or it is not; the same on all paths.
Result<void> note_arena_arith(Step& step, bool arena);

}  // namespace ring3::verifier
