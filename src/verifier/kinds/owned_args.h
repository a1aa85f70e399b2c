// Ownership across the border between a struct_ops member and its host (behaviour.md A.1.4, A.1.6): arguments
// marked __ref belong to the program, and a returned struct pointer goes to the host.
//
// Soundness: an owned argument is a reference acquired before the first instruction, with an id that only its
// position decides. Every load of its slot gives a pointer with that reference, while the path still has it; so release,
// leak and use after release are judged by the rules that hold for every reference.
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

/// The reference of argument `arg`; 0: it is not owned.
std::uint32_t owned_argument(const Program& prog, std::uint32_t arg);
/// Ids up to this one are those of owned arguments, the same on every path.
std::uint32_t owned_arguments(const Program& prog);
/// At main's entry, before any other id is given out.
void own_arguments(const Program& prog, PathState& path, Search& search);
/// Programs with owned arguments make no tail call: who would release them?
Result<void> check_owned_arguments(const Program& prog, Diag& diag);

/// The member returns a pointer.
bool returns_pointer(const Program& prog);
/// R0 at main's exit is an owned pointer of exactly the member's type: the path gives it up. False: it is not.
bool give_to_host(Step& step);

}  // namespace ring3::verifier
