#include "exec/jit.h"

#include <algorithm>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/try.h"
#include "exec/fault.h"
#include "exec/program_check.h"

#if defined(__x86_64__)

#include "exec/jit/emitter.h"
#include "exec/jit/tail_call.h"
#include "rewrite/tail_calls.h"
#include "uapi/bpf.h"

namespace ring3::exec {
namespace jit {

std::uint64_t run_tail_target(std::uint64_t ctx, RunContext* run, const ProgramEntry* caller) {
  const Code* const target = run->tail_target;
  run->tail_target = nullptr;
  const std::uint64_t result = target->run_tail(*run, reinterpret_cast<void*>(static_cast<std::uintptr_t>(ctx)));
  run->entry = caller;
  return result;
}

namespace {

/// The main function leaves a tail call to whoever called it.
__attribute__((no_sanitize("undefined"))) std::uint64_t enter_body(const FunctionBody& body, const FunctionArgs& args, RunContext& run) {
  const auto* const code = static_cast<const std::byte*>(body.code);
  const auto fn = reinterpret_cast<rewrite::HelperFn>(reinterpret_cast<std::uintptr_t>(code));
  const ProgramEntry* const entry = run.entry;
  const std::uint64_t result = fn(args[0], args[1], args[2], args[3], args[4], run);
  return run.tail_target == nullptr ? result : run_tail_target(reinterpret_cast<std::uintptr_t>(run.tail_ctx), &run, entry);
}

}  // namespace

std::uint64_t enter_detour(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4, std::uint64_t r5, RunContext* run,
                           const Detour* detour, const std::byte* entry) {
  return detour->enter({r1, r2, r3, r4, r5}, *run,
                       {.enter = enter_body, .code = entry + kDetourBytes, .address = reinterpret_cast<std::uintptr_t>(entry)});
}

}  // namespace jit

namespace {

using rewrite::HelperFn;

bool may_tail_call(const rewrite::XlatedProgram& program) {
  return std::any_of(program.helpers.begin(), program.helpers.end(), rewrite::is_tail_call);
}

/// Calls nothing that looks at the run. (A program that asks for its CPU slot does.)
bool needs_no_run(const rewrite::XlatedProgram& program) {
  return program.kfuncs.empty() && std::none_of(program.helpers.begin(), program.helpers.end(), [](const auto& helper) { return helper.needs_run; });
}

class JitCode final : public Code {
 public:
  JitCode(std::shared_ptr<const rewrite::XlatedProgram> source, CodeBlock block, jit::MachineCode code, Detours detours)
      : source_(std::move(source)), block_(std::move(block)), insn_offset_(std::move(code.insn_offset)),
        function_offset_(std::move(code.function_offset)) {
    const auto* const base = static_cast<const std::byte*>(block_.executable());
    bytes_ = block_.bytes();
    for (const std::uint32_t off : function_offset_)
      functions_.push_back(reinterpret_cast<HelperFn>(reinterpret_cast<std::uintptr_t>(base + off)));
    for (const jit::FaultPair& pair : code.faults) fault_table_.push_back({base + pair.insn, base + pair.fixup});
    faults_ = fault_table_;
    plain_ = !may_tail_call(*source_);
    direct_ = functions_[0];
    const std::uint32_t past = !detours.empty() && detours[0] != nullptr ? jit::kDetourBytes : 0;
    body_ = reinterpret_cast<HelperFn>(reinterpret_cast<std::uintptr_t>(base + function_offset_[0] + past));
    exception_callback_ = source_->exception_callback;
    if (faults_.empty() && !throws(*source_) && needs_no_run(*source_) && detours.empty())
      leaf_ = reinterpret_cast<LeafFn>(reinterpret_cast<std::uintptr_t>(base + function_offset_[0]));
  }

  std::uint64_t call_subprog(RunContext& run, std::uint32_t subprog, std::uint64_t r1, std::uint64_t r2,
                             std::uint64_t r3, std::uint64_t r4, std::uint64_t r5) const override {
    RING3_CHECK(subprog < functions_.size(), "callback of another program");
    const ProgramEntry* const entry = run.entry;
    const std::uint64_t result = call(functions_[subprog], r1, r2, r3, r4, r5, run);
    // The main function leaves a tail call to its caller.
    return run.tail_target == nullptr ? result : jit::run_tail_target(reinterpret_cast<std::uintptr_t>(run.tail_ctx), &run, entry);
  }

  rewrite::HelperFn plain_function(std::uint32_t subprog) const noexcept override {
    RING3_CHECK(subprog < functions_.size(), "callback of another program");
    return plain_ ? functions_[subprog] : nullptr;
  }

  const char* tier() const override { return "jit"; }

  CodeListing listing() const override {
    return {.bytes = {static_cast<const std::byte*>(block_.executable()), bytes_},
            .insn_offset = insn_offset_,
            .function_offset = function_offset_,
            .original_idx = source_->original_idx};
  }

 protected:
  std::uint64_t enter(RunContext& run, void* ctx) const override {
    return call(functions_[0], reinterpret_cast<std::uintptr_t>(ctx), 0, 0, 0, 0, run);
  }

 private:
  __attribute__((no_sanitize("undefined"))) std::uint64_t call(HelperFn fn, std::uint64_t r1, std::uint64_t r2,
                                                               std::uint64_t r3, std::uint64_t r4, std::uint64_t r5,
                                                               RunContext& run) const {
    return fn(r1, r2, r3, r4, r5, run);
  }

  const std::shared_ptr<const rewrite::XlatedProgram> source_;
  const CodeBlock block_;
  std::size_t bytes_ = 0;
  bool plain_ = false;  // its functions need nothing around them
  std::vector<HelperFn> functions_;
  std::vector<FaultEntry> fault_table_;
  const std::vector<std::uint32_t> insn_offset_;
  const std::vector<std::uint32_t> function_offset_;
};

class Jit final : public Engine {
 public:
  Jit(CodeMemory& memory, JitOptions options) : memory_(memory), options_(options) {}

  using Engine::compile;
  Result<std::unique_ptr<Code>> compile(std::shared_ptr<const rewrite::XlatedProgram> program, Detours detours) override {
    const CheckedProgram checked = RING3_TRY(check_program(*program));
    jit::ProgramShape shape = jit::analyse(*program, checked, detours);
    const jit::Plan plan = jit::make_plan(*program, checked, shape);
    jit::MachineCode code = RING3_TRY(emit(*program, checked, shape, plan));
    CodeBlock block = RING3_TRY(memory_.allocate(code.bytes.size()));
    block.write(0, code.bytes);
    return std::unique_ptr<Code>(new JitCode(std::move(program), std::move(block), std::move(code), detours));
  }

 private:
  Result<jit::MachineCode> emit(const rewrite::XlatedProgram& program, const CheckedProgram& checked,
                                const jit::ProgramShape& shape, const jit::Plan& plan) const {
    auto code = jit::Emitter(program, checked, shape, plan, options_).emit(true);
    if (code || code.error() != Errno::kRange) return code;
    return jit::Emitter(program, checked, shape, plan, options_).emit(false);
  }

  CodeMemory& memory_;
  const JitOptions options_;
};

}  // namespace

bool jit_available() noexcept { return true; }

std::unique_ptr<Engine> make_jit(CodeMemory& memory, JitOptions options) {
  return std::make_unique<Jit>(memory, options);
}

}  // namespace ring3::exec

#else

namespace ring3::exec {

bool jit_available() noexcept { return false; }

std::unique_ptr<Engine> make_jit(CodeMemory&, JitOptions) {
  RING3_CHECK(false, "no compiler for this machine: ask jit_available()");
  return nullptr;
}

}  // namespace ring3::exec

#endif

namespace ring3::exec {
namespace {

class CompilerWithFallback final : public Engine {
 public:
  explicit CompilerWithFallback(std::unique_ptr<Engine> jit) : jit_(std::move(jit)) {}

  using Engine::compile;
  Result<std::unique_ptr<Code>> compile(std::shared_ptr<const rewrite::XlatedProgram> program, Detours detours) override {
    auto code = jit_->compile(program, detours);
    return !code && code.error() == Errno::kNoMem ? interpreter_->compile(std::move(program), detours) : std::move(code);
  }

 private:
  const std::unique_ptr<Engine> jit_;
  const std::unique_ptr<Engine> interpreter_ = make_interpreter();
};

}  // namespace

std::unique_ptr<Engine> make_best_engine(CodeMemory& memory, JitOptions options) {
  if (!jit_available()) return make_interpreter();
  return std::make_unique<CompilerWithFallback>(make_jit(memory, options));
}

}  // namespace ring3::exec
