// The program's shape, found before any path is walked, and the checks that follow the walk.
//
//   find_subprogs   entry points from calls and callback addresses; jumps stay inside their function
//   check_attach_target  what the program is attached to, and whether programs of its kind may be
//   check_program_target  the same where that is a function of another program
//   check_btf_info  func_info and line_info against the program and its BTF; prototypes of global functions
//   check_cfg       every instruction reachable, no loops without rights; marks where states are compared
//   find_liveness   registers read later, per instruction; find_stack_liveness: stack slots
//   check_stack_depth  after the walk: recursion, call depth, combined stack (behaviour.md D.1.4, D.1.5)
#pragma once

#include "base/try.h"
#include "ring3/result.h"
#include "verifier/diag/diag.h"
#include "verifier/program.h"

namespace ring3::verifier {

struct PathState;

Result<void> find_subprogs(Program& prog, Diag& diag);
Result<void> check_attach_target(Program& prog, Diag& diag);
Result<void> check_btf_info(Program& prog, Diag& diag);

// Functions of other programs, replaced or traced (program_target.cc). After find_packet_changes().
Result<void> check_program_target(Program& prog, Diag& diag);
/// The function that is replaced is entered where no read section protects anything.
bool replaced_outside_sections(const Program& prog);
/// After the walk: a replacement reaches no further into its context and buffers than who runs its target was told.
Result<void> check_replacement_reach(const Program& prog, const VerifiedProgram& verified, Diag& diag);
/// After the walk: what others may know of a function of this program.
model::ProgramFunction describe_function(const Program& prog, const SubprogInfo& sub);
Result<void> check_cfg(Program& prog, Diag& diag);
void find_liveness(Program& prog);
/// After find_subprogs() and the rights: Program::stack_live.
void find_stack_liveness(Program& prog);
/// One bit a slot of a frame of the state: something may still look at it.
std::uint64_t live_slots(const Program& prog, const PathState& state, std::size_t frame);
/// Helpers and kfuncs that run a callback before they return.
bool calls_callback(Program& prog, const isa::Insn& insn);
/// Calls that take one step of an open coded iterator.
bool advances_iterator(const Program& prog, const isa::Insn& insn);
Result<void> check_stack_depth(Program& prog, Diag& diag);

// Spills around fast calls (fastcall.cc).
void find_fastcalls(Program& prog);
/// Instruction idx touches the stack of a function from `lowest` up.
void note_stack_use(Program& prog, std::uint32_t subprog, std::uint32_t idx, std::int64_t lowest);
/// Stack of a function without what Linux drops.
std::uint32_t counted_stack_bytes(const Program& prog, const SubprogInfo& sub);

// Exceptions (exceptions.cc).
/// Where the function starts that handles what the program throws; UINT32_MAX: there is none.
Result<std::uint32_t> exception_callback(const Program& prog, Diag& diag);
/// Which functions may throw, themselves or by what they call.
void find_throws(Program& prog);
/// Nothing throws out of a callback, and nobody calls the exception callback.
Result<void> check_throws(Program& prog, Diag& diag);

/// Which functions may change the packet (packet_changes.cc).
void find_packet_changes(Program& prog);

/// The subprog an instruction calls or names, or UINT32_MAX.
std::uint32_t named_subprog(const Program& prog, std::uint32_t idx);

/// Where control goes after an instruction inside its function: fall-through first, then the jump's target.
struct Successors {
  std::uint32_t next[2];
  unsigned count = 0;
};
Successors successors(const Program& prog, std::uint32_t idx);

}  // namespace ring3::verifier
