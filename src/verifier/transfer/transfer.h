// One instruction's effect on a path. Each returns after changing the path, or refuses.
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

Result<void> transfer_alu(Step& step);
/// dst = ptr op value, for an ALU instruction one of whose operands is a pointer. dst still holds its operand.
/// value_first: the instruction was `number += pointer`.
Result<void> transfer_pointer_arith(Step& step, const RegState& ptr, const RegState& value, bool value_first);
/// "+=", for messages.
std::string_view operator_text(isa::Op op);
Result<void> transfer_wide_immediate(Step& step);
Result<void> transfer_load(Step& step);
Result<void> transfer_store(Step& step);
Result<void> transfer_atomic(Step& step);
Result<void> transfer_legacy_load(Step& step);
/// Sets step.path.insn_idx; may fork.
Result<void> transfer_branch(Step& step);
/// A jump that is taken at the latest when a budget is used up: loops through it end.
Result<void> transfer_may_goto(Step& step);
/// Return from a frame, or the end of the path.
Result<void> transfer_exit(Step& step);

/// Register `regno` of the current frame is what the program may return.
Result<void> check_program_result(Step& step, unsigned regno);

/// Every copy of a tested maybe-null pointer learns the outcome.
void learn_null_test(Program& prog, PathState& path, std::uint32_t id, bool is_null);
/// A maybe-null pointer that was proved not null.
void mark_not_null(Program& prog, RegState& reg);

/// Adds the registers and spilled numbers that share `id`, the current frame's first. Those that find no room lose the id.
void collect_linked(PathState& path, std::uint32_t id, LinkedValues& out);
/// Copies what is known of `known` to those of the collected values that are linked with it.
void sync_linked(PathState& path, const RegState& known, const LinkedValues& collected);

}  // namespace ring3::verifier
