// The one way into a program. Everything that runs one (struct_ops thunks, BPF_PROG_TEST_RUN, attach
// points, iterators) calls ProgramEntry::run(), which
//   1. opens a read section (object/rcu.h): nothing the program can reach is freed before it returns.
//      Sleepable programs use the same section; a long sleep delays reclaim, never correctness;
//   2. skips the run when the same program is already running on this thread (counted as a miss);
//   3. leases a CPU slot when the program touches per-CPU state, unless an outer run holds one;
//   4. counts the run, and its time when it is this run's turn (run_stats.h) or while statistics are enabled;
//   5. calls the current tier's code through one atomic pointer.
// A run of compiled code that is not inside another, is not to be timed, and whose caller says nothing about it takes a short
// way through all that (run_ready): in the context its thread keeps ready, and with the slot that is its thread's own.
// A program that calls nothing and touches no per-CPU state can neither nest nor be asked who runs: of all this it needs
// 1, 4 and 5, and code made for it (struct_ops thunks) does them in line.
//
// Threads: run() from any thread, concurrently, also while set_code() swaps tiers.
// Lifetime: the owner is destroyed after readers (Object), so no thread is inside at destruction; a caller
// that reaches the entry without a reference of its own must be inside a read section.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "ring3/result.h"

#include "base/mutex.h"
#include "exec/engine.h"
#include "exec/machine.h"
#include "exec/owner_name.h"
#include "exec/run_context.h"
#include "exec/run_stats.h"
#include "object/object.h"

namespace ring3::maps {
class Map;
}

namespace ring3::exec {

struct EntryOptions {
  bool touches_percpu = false;    // XlatedProgram::touches_percpu
  bool may_sleep = false;         // XlatedProgram::may_sleep
  bool guard_recursion = true;    // skip a run inside a run of the same program on one thread
};

/// What a caller may say about one run.
struct RunArgs {
  void* ctx = nullptr;            // r1
  std::uint64_t cookie = 0;       // bpf_get_attach_cookie
  std::uint64_t func_ip = 0;      // bpf_get_func_ip
  const TracedCall* traced = nullptr;  // programs around a function (exec/detour.h)
  Client* client = nullptr;       // syscall programs
  SeqOutput* seq = nullptr;       // iterator programs
  rewrite::PacketRecord* packet = nullptr;  // programs whose context is not the packet itself: netfilter
};

/// A compiled main function, and what its runs begin with.
struct ReadyCode {
  rewrite::HelperFn fn = nullptr;
  RunStart start;
};

class ProgramEntry {
 public:
  ProgramEntry(Machine& machine, EntryOptions options);
  ~ProgramEntry();
  ProgramEntry(const ProgramEntry&) = delete;
  ProgramEntry& operator=(const ProgramEntry&) = delete;

  /// Runs the program and returns r0; 0 when the run was skipped or there is no code yet.
  std::uint64_t run(const RunArgs& args) const noexcept;
  /// The same without arguments of the caller: the hot path of struct_ops.
  std::uint64_t run(void* ctx) const noexcept;

  /// run(ctx) for callers who are inside a read section as a rule: struct_ops thunks. `this` as `data`.
  using Inside = std::uint64_t (*)(void* data, std::uint64_t* ctx);
  Inside run_inside() const noexcept { return options_.touches_percpu ? run_inside_leasing : run_inside_plain; }

  /// Runs subprogram `subprog` as a callback that nobody waits for (timers, work items); 0 without code. As run(), but no
  /// recursion guard: what is called is not what runs around it.
  std::uint64_t run_callback(std::uint32_t subprog, std::uint64_t r1, std::uint64_t r2, std::uint64_t r3) const noexcept;

  /// The calling thread is inside a run of this program.
  bool runs_here() const noexcept;

  /// The object whose entry this is; who keeps the entry beyond a read section refers to it. Null: nobody's.
  Object* holder() const noexcept { return holder_; }
  /// Before the entry is run.
  void set_holder(Object& holder) noexcept { holder_ = &holder; }

  /// Puts `code` in the place of the current tier's by one store. Running threads finish in the old
  /// code, which is freed after them. Errors: kNoMem, and the old code stays.
  Result<void> set_code(std::unique_ptr<const Code> code);
  /// The current code; valid inside a read section.
  const Code* code() const noexcept { return code_.load(std::memory_order_acquire); }

  /// Where code that enters a leaf by itself looks; see RunStats::own_runs() and Code::leaf(). The function is null
  /// while there is none.
  const std::atomic<LeafFn>& leaf_slot() const noexcept { return leaf_; }
  /// The same for code that needs a run, and enters it in the thread's own (t_runs.idle) by itself.
  const std::atomic<const ReadyCode*>& ready_slot() const noexcept { return ready_; }
  /// Ends a run of ReadyCode::fn in t_runs.idle that has more to do after its return: a tail call, an exception, a slot to
  /// give back. Returns the program's result.
  static std::uint64_t finish(std::uint64_t result) noexcept;
  const RunStats& stats() const noexcept { return stats_; }

  RunTotals totals() const noexcept { return stats_.totals(); }
  const EntryOptions& options() const noexcept { return options_; }
  Machine& machine() const noexcept { return machine_; }
  OwnerName& owner() noexcept { return owner_; }
  const OwnerName& owner() const noexcept { return owner_; }

 private:
  struct Keeper;
  std::atomic<std::uint64_t>* unmeasured_runs() const noexcept;
  std::uint64_t run_no_leaf(void* ctx) const noexcept;
  template <bool kLeases>
  std::uint64_t run_ready(void* ctx) const noexcept;
  template <bool kLeases>
  static std::uint64_t run_taken(void* ctx, const ReadyCode& ready, std::atomic<std::uint64_t>& runs,
                                 detail::SlotThread* leased) noexcept;
  std::uint64_t run_slowly(void* ctx) const noexcept;
  static std::uint64_t run_inside_plain(void* data, std::uint64_t* ctx) noexcept;
  static std::uint64_t run_inside_leasing(void* data, std::uint64_t* ctx) noexcept;
  RunContext context_of(const RunArgs& args, RunContext* outer) const noexcept;
  std::uint64_t run_nested_or_measured(const RunArgs& args, RunContext* outer, const Code* code) const noexcept;

  Machine& machine_;
  const EntryOptions options_;
  Object* holder_ = nullptr;
  std::atomic<const Code*> code_{nullptr};
  std::atomic<LeafFn> leaf_{nullptr};        // of code_, where this entry may use it
  std::atomic<const ReadyCode*> ready_{nullptr};  // of code_, where the tier has a function to call
  Mutex set_code_;
  Keeper* keeper_ RING3_GUARDED_BY(set_code_) = nullptr;  // owns what code_ points to
  mutable RunStats stats_;
  OwnerName owner_;
};

/// A program object as this layer knows it: what a program array's slot holds. prog::Program derives from it, and
/// gives it its entry before it is published.
class Runnable : public Object {
 public:
  const ProgramEntry* entry() const noexcept { return entry_.get(); }
  ProgramEntry* entry() noexcept { return entry_.get(); }

 protected:
  using Object::Object;
  std::unique_ptr<ProgramEntry> entry_;
};

/// bpf_tail_call: sets run.tail_target and run.entry and returns true, or returns false to fall through (empty
/// slot, index out of range, limit of kMaxTailCalls reached). A target that touches per-CPU state gets its slot here.
/// program_array: a program array, whose DataOps::lookup gives the slot's Object*.
bool enter_tail_call(RunContext& run, maps::Map& program_array, std::uint32_t index) noexcept;
/// The same of what a slot of a program array holds, which may be null.
bool enter_tail_call(RunContext& run, Object* program) noexcept;

}  // namespace ring3::exec
