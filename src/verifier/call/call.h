// Calls: helpers by the rows of model/helper_protos.def, host functions (kfuncs) by their BTF, and the
// program's own functions.
#pragma once

#include "model/helper.h"
#include "model/kernel_kfuncs.h"
#include "verifier/verification.h"

namespace ring3::verifier {

/// Each sets step.path.insn_idx.
Result<void> call_helper(Step& step);
Result<void> call_kfunc(Step& step);
Result<void> call_subprog(Step& step);
/// Return from the current frame, which is not main's: to its caller, or to the helper that runs it.
Result<void> return_from_frame(Step& step);

// References (refs.cc).
std::uint32_t acquire_reference(Step& step);
/// Ends a reference: its pointers are nothing any more. False: the path does not own it.
bool release_reference(Step& step, std::uint32_t id);
/// A pointer to what the path has lost is a number, if anything.
void forget_pointer(const Step& step, RegState& reg);
/// Ends a reference, but what becomes of its pointers is the caller's to say.
bool forget_reference(Step& step, std::uint32_t id);
/// The packet may have moved: pointers into it and slices of it are nothing any more.
void forget_packet_pointers(const Program& prog, PathState& path);
/// The path owns nothing that would be lost when the current frame ends (all: when the program does).
Result<void> check_no_leak(Step& step, bool all);

// Frames (frames.cc).
/// Enters `subprog` in a new frame; argument registers are the caller's to fill in. Null: too deep (refused).
FrameState* push_frame(Step& step, PathState& path, std::uint32_t subprog, std::uint32_t callsite, FrameRole role);

/// The path is in the caller's frame again: what lay in the callee's stack is nothing any more.
void leave_frame(const Program& prog, PathState& path);

/// What a helper promises its callback.
struct CallbackPlan {
  enum class Args : std::uint8_t { kLoop, kMapElement, kTreeNodes, kDynptr, kVma } args;
  std::uint32_t subprog;
  std::uint32_t map = 0;      // kMapElement
  std::uint32_t map_uid = 0;  // the same: which lookup in an outer map gave it
  unsigned ctx_reg;           // caller's register passed on
  const model::Field* root = nullptr;  // kTreeNodes
};
/// Puts a path aside that runs the callback once and comes back to this call (callbacks.cc).
Result<void> run_callback(Step& step, const CallbackPlan& plan);
/// The call returns: its callback does not run any more.
void end_callbacks(FrameState& caller);
/// Arguments of a tree's `less`: two nodes of the tree (graph_calls.cc).
void set_less_arguments(Step& step, FrameState& callee, const model::Field& root);
/// The path is inside a tree's `less`, at any depth.
bool in_tree_callback(const Program& prog, const PathState& path);
/// R0 at the callback's exit, and loop convergence.
Result<void> return_from_callback(Step& step);

/// Imprecise scalars that differ from the previous visit could keep changing: they become unknown.
void widen_imprecise(const PathState& before, PathState& now);

// Timers and work items (async.cc).
/// The map whose value holds a field, and which lookup in an outer map gave it (0: none).
struct FieldMap {
  std::uint32_t map = UINT32_MAX;
  std::uint32_t uid = 0;
};
/// The timer or work item that register `regno`, a map value, points to.
Result<FieldMap> async_field(Step& step, unsigned regno, model::FieldKind kind);
/// `map`, a map pointer, is the map the field is in.
Result<void> check_field_map(Step& step, const FieldMap& field, const RegState& map, model::FieldKind kind);
/// The callback will be entered later, and is to be walked.
Result<void> schedule_callback(Step& step, std::uint32_t subprog, const FieldMap& field, bool may_sleep);
void set_async_arguments(Search& search, Program& prog, const AsyncEntry& entry, FrameState& frame);

// Locks, read sections, preemption (sections.cc).
/// bpf_spin_lock and bpf_spin_unlock of the lock that register `regno` points to.
Result<void> take_lock(Step& step, unsigned regno);
Result<void> give_lock(Step& step, unsigned regno);
/// Data of the current section stays valid: in a read section, under a lock, or not sleepable at all.
bool in_read_section(const Step& step);
/// What a path may not do while it holds a lock or is in a section; `what` starts the line.
Result<void> check_no_section(Step& step, const char* what);
/// Nothing is left open at the end of the program.
Result<void> check_sections_closed(Step& step);
/// bpf_rcu_read_lock and its like. sleeps: the call may sleep.
enum class SectionCall : std::uint8_t { kNone, kRcuLock, kRcuUnlock, kPreemptDisable, kPreemptEnable };
SectionCall section_call(model::KfuncSpecial special);
Result<void> enter_or_leave_section(Step& step, SectionCall call, std::string_view name, bool sleeps);

// Open coded iterators (iterators.cc).
Result<void> new_iterator(Step& step, unsigned regno, const model::Kfunc& kfunc, btf::TypeId type);
/// The iterator that register `regno` points to, advanced or used by a call.
Result<SlotObject*> iterator_arg(Step& step, unsigned regno, const model::Kfunc& kfunc, btf::TypeId type);
/// Two paths go on: r0 null and the iterator drained, and r0 not null.
Result<void> advance_iterator(Step& step, unsigned regno);
Result<void> destroy_iterator(Step& step, unsigned regno);
/// r1 … r5 hold nothing after a call.
void forget_arguments(Step& step);

// Memory arguments shared by helpers and kfuncs (memory_args.cc).
/// The size in `size_reg` is bounded, and `mem_reg` has room for all of it.
struct SizedMemory {
  unsigned mem_reg, size_reg;
  bool zero_ok;
  bool write;
  bool uninit;
};
Result<void> check_sized_memory(Step& step, const SizedMemory& m, std::uint32_t* uninit_bytes);

/// Register `regno`, a map value, points to a string that ends inside memory which never changes.
Result<void> check_const_string(Step& step, unsigned regno);

/// "bpf_map_lookup_elem#1" in two parts, for messages.
std::string helper_text(std::uint32_t id);

}  // namespace ring3::verifier
