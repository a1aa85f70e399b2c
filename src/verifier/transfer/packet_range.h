// Comparing a packet pointer with the end of the packet proves how far it may be read.
#pragma once

#include "verifier/domain/scalar_branch.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {

/// A comparison that tells how much of a packet may be read; its outcome says nothing about addresses.
bool tests_packet_range(const isa::Insn& insn, const RegState& dst, const RegState& src);
/// The outcome, if it is known where the pointer lies: at the packet's end, or behind it.
Taken decide_packet_range(const isa::Insn& insn, const RegState& dst, const RegState& src);
/// `fall` and `taken` are the two sides of a 64-bit comparison of packet kinds in registers.
void learn_packet_range(const isa::Insn& insn, PathState& fall, PathState& taken);

}  // namespace ring3::verifier
