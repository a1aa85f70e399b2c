// Execution tiers behind one interface: interpreter (the reference), baseline JIT, optimising tier.
// A tier turns an XlatedProgram into Code; Code is immutable, entered by a plain call, freed after readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "exec/detour.h"
#include "exec/fault.h"
#include "exec/run_context.h"
#include "ring3/result.h"
#include "rewrite/xlated.h"

namespace ring3::exec {

/// What a compiled program looks like in memory; valid as long as its Code.
struct CodeListing {
  std::span<const std::byte> bytes;                // where it runs; empty: this tier has no machine code
  std::span<const std::uint32_t> insn_offset;      // per instruction of the XlatedProgram: where its code starts
  std::span<const std::uint32_t> function_offset;  // per subprogram
  std::span<const std::uint32_t> original_idx;     // per instruction: its index in the program as loaded
};

/// A whole program that never looks at its run: it calls nothing outside itself and cannot fault.
using LeafFn = std::uint64_t (*)(void* ctx);

/// One compiled form of one program. Immutable; any number of threads run it at once.
class Code {
 public:
  virtual ~Code() = default;

  /// Runs the program: r1 = ctx, and whatever it tail calls into. Never blocks longer than the program
  /// does. The caller is inside a read section, has made `run` the thread's innermost and, when the program touches
  /// per-CPU state, holds a CPU slot (ProgramEntry does all three). Callable from a helper of a running program.
  std::uint64_t run(RunContext& run, void* ctx) const {
    const Code* const outer = run.code;
    run.code = this;
    std::uint64_t result = enter_direct(run, ctx);
    if (__builtin_expect(run.tail_target != nullptr, 0)) result = std::exchange(run.tail_target, nullptr)->run_tail(run, ctx);
    run.code = outer;
    return result;
  }

  /// The same as the target of a tail call, which nobody sees but the program's body: what replaces or traces main is not entered.
  std::uint64_t run_tail(RunContext& run, void* ctx) const {
    const Code* const outer = run.code;
    std::uint64_t result = 0;
    for (const Code* code = this; code != nullptr;) {
      run.code = code;
      result = code->enter_past(run, ctx);
      code = std::exchange(run.tail_target, nullptr);
    }
    run.code = outer;
    return result;
  }

  /// Calls subprogram `subprog` (index into XlatedProgram::subprogs) on a frame of its own: how helpers
  /// run callbacks. A function's address, as programs see it, is that index (see xlated.h), so a helper
  /// with a callback argument cb does `run.code->call_subprog(run, std::uint32_t(cb), a1, a2, a3)`.
  /// The callback's pointer arguments into its caller's stack stay valid: frames never move.
  /// When run.thrown is set afterwards the callback has thrown: the helper returns at once, with any value.
  virtual std::uint64_t call_subprog(RunContext& run, std::uint32_t subprog, std::uint64_t r1,
                                     std::uint64_t r2 = 0, std::uint64_t r3 = 0, std::uint64_t r4 = 0,
                                     std::uint64_t r5 = 0) const = 0;

  /// Subprogram `subprog` as a plain function, for helpers that call back often; null: use call_subprog(). It does not
  /// tail call.
  virtual rewrite::HelperFn plain_function(std::uint32_t /*subprog*/) const noexcept { return nullptr; }
  __attribute__((no_sanitize("undefined"))) static std::uint64_t call_plain(rewrite::HelperFn fn, RunContext& run,
                                                                            std::uint64_t r1, std::uint64_t r2) {
    return fn(r1, r2, 0, 0, 0, run);
  }

  /// The main function as compiled, null where the tier has none. Who calls it has done what run() says, has set run.code,
  /// and looks afterwards whether there is a run.tail_target to run() or something was thrown (thrown_result()).
  rewrite::HelperFn direct() const noexcept { return direct_; }

  /// What the program returns after its frames were left by an exception: run.thrown is set, and is not afterwards.
  std::uint64_t thrown_result(RunContext& run) const {
    run.thrown = false;
    const std::uint64_t cookie = run.exception_cookie;
    return exception_callback_ == rewrite::kNoSubprog ? cookie : call_subprog(run, exception_callback_, cookie);
  }

  /// The loads of this code that may fault: sorted by instruction. The handler looks at the innermost run's.
  std::span<const FaultEntry> faults() const noexcept { return faults_; }

  /// Null where the tier has none. Callers of it need a read section and nothing else of what run() asks for.
  LeafFn leaf() const noexcept { return leaf_; }

  virtual const char* tier() const = 0;

  /// For BPF_OBJ_GET_INFO_BY_FD's jited_* and for dumps.
  virtual CodeListing listing() const { return {}; }

 protected:
  /// Runs this program alone. When a tail call succeeded in the main function, returns (any value) with
  /// run.tail_target still set and run() goes on there; in a subprogram the tier does
  /// `exchange(run.tail_target, nullptr)->run_tail(run, ctx)` itself and returns the result to the subprogram's
  /// caller, as the target replaces that one frame.
  virtual std::uint64_t enter(RunContext& run, void* ctx) const = 0;
  /// The same past main's detour.
  virtual std::uint64_t enter_body(RunContext& run, void* ctx) const { return enter(run, ctx); }

  /// What enter() would only call, where a tier has one: saves the detour. An exception that leaves it is the caller's to end.
  rewrite::HelperFn direct_ = nullptr;
  rewrite::HelperFn body_ = nullptr;  // of enter_body(), likewise
  std::uint32_t exception_callback_ = rewrite::kNoSubprog;
  std::span<const FaultEntry> faults_;
  LeafFn leaf_ = nullptr;

 private:
  /// The function is machine code without the marks a sanitizer looks for.
  __attribute__((no_sanitize("undefined"))) std::uint64_t enter_direct(RunContext& run, void* ctx) const {
    if (direct_ == nullptr) return enter(run, ctx);
    const std::uint64_t result = direct_(reinterpret_cast<std::uintptr_t>(ctx), 0, 0, 0, 0, run);
    return __builtin_expect(run.thrown, 0) ? thrown_result(run) : result;
  }
  __attribute__((no_sanitize("undefined"))) std::uint64_t enter_past(RunContext& run, void* ctx) const {
    if (body_ == nullptr) return enter_body(run, ctx);
    const std::uint64_t result = body_(reinterpret_cast<std::uintptr_t>(ctx), 0, 0, 0, 0, run);
    return __builtin_expect(run.thrown, 0) ? thrown_result(run) : result;
  }
};

/// One per subprogram, null where it has none; or nothing at all. Each outlives the code made with it.
using Detours = std::span<const Detour* const>;

class Engine {
 public:
  virtual ~Engine() = default;
  /// Errors: kInval the program is not well formed (a jump, callee, helper or register out of range, calls
  /// that recurse or nest deeper than eight frames); kNoMem; kOpNotSupp an instruction this tier lacks.
  virtual Result<std::unique_ptr<Code>> compile(std::shared_ptr<const rewrite::XlatedProgram> program, Detours detours) = 0;
  Result<std::unique_ptr<Code>> compile(std::shared_ptr<const rewrite::XlatedProgram> program) { return compile(std::move(program), {}); }
};

/// The reference tier: runs everything, everywhere.
std::unique_ptr<Engine> make_interpreter();

}  // namespace ring3::exec
