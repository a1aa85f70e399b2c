// The interpreter: the reference every other tier is compared with. Direct threaded; the handlers of all
// plain instructions are generated from insn.def and compute with isa/semantics.h, so that only control
// flow, calls and memory are written here.
//
// Frames: the stacks of one activation (a program, or one callback) are slices of one array, growing down. A
// callback is a new activation on the host's stack; so frames never move, and pointers into them stay good.
// The part a program can reach is zeroed first: it must not see what the host left there.
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/try.h"
#include "exec/engine.h"
#include "exec/fault.h"
#include "exec/interp_memory.h"
#include "exec/interp_program.h"
#include "isa/semantics.h"

namespace ring3::exec {
namespace {

using isa::Op;

struct SavedFrame {
  const Step* resume;
  std::uint64_t callee_saved[4];   // r6 … r9
  std::uint64_t frame_pointer;
  std::uint32_t stack_bytes;
  std::uint32_t may_goto_budget;
};

template <Op kOp, int kBits, int kSize>
std::uint64_t move(std::uint64_t value) {
  if constexpr (kOp == Op::kMovsx) return isa::movsx<kBits>(value, kSize * 8);
  else return isa::alu<kBits>(Op::kMov, 0, value);
}

template <Op kOp>
std::uint64_t swap_ends(std::uint64_t value, int width) {
  return kOp == Op::kToLe ? isa::keep_low(value, width) : isa::byte_swap(value, width);
}

std::uint64_t call_helper(const Step& step, const std::uint64_t* r, RunContext& run) {
  const auto fn = reinterpret_cast<rewrite::HelperFn>(static_cast<std::uintptr_t>(step.imm));
  return fn(r[1], r[2], r[3], r[4], r[5], run);
}

/// Kfuncs are host functions of any prototype with up to five register arguments: called as if all were u64,
/// which is what the calling convention of x86-64 and arm64 makes of them.
__attribute__((no_sanitize("undefined"))) std::uint64_t call_kfunc(const Step& step, const std::uint64_t* r) {
  using Fn = std::uint64_t (*)(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t);
  const auto& kfunc = *reinterpret_cast<const rewrite::KfuncCall*>(static_cast<std::uintptr_t>(step.imm));
  const std::uint64_t result = reinterpret_cast<Fn>(kfunc.address)(r[1], r[2], r[3], r[4], r[5]);
  const int bits = kfunc.ret_bytes * 8;
  if (bits == 0 || bits >= 64) return result;
  return kfunc.ret_signed ? static_cast<std::uint64_t>(isa::sign_extend(result, bits)) : isa::keep_low(result, bits);
}

/// All of the memory is there. What is readable in an arena is writable, and stays while programs run.
bool is_there(std::uint64_t address, std::size_t bytes) {
  std::uint64_t ignored = 0;
  return copy_untrusted(&ignored, address, bytes);
}

/// All or nothing, as one machine instruction does it.
void store_or_skip(std::uint64_t address, std::uint64_t value, std::size_t bytes) {
  if (is_there(address, bytes)) static_cast<void>(copy_to_untrusted(address, &value, bytes));
}

/// What an atomic would have fetched from memory that is not there.
void forget_fetched(std::size_t row, std::uint64_t& src, std::uint64_t& r0) {
  const Op op = isa::kRows[row].op;
  if (op == Op::kAtomicCmpxchg) r0 = 0;
  else if (op >= Op::kAtomicFetchAdd) src = 0;
}

/// Runs the target of a tail call made below the main function: it takes the place of that one frame.
std::uint64_t run_nested_target(RunContext& run, const ProgramEntry* caller, std::uint64_t ctx) {
  const Code* const target = run.tail_target;
  run.tail_target = nullptr;
  const std::uint64_t result = target->run_tail(run, reinterpret_cast<void*>(static_cast<std::uintptr_t>(ctx)));
  run.entry = caller;
  return result;
}

std::uint64_t interpret(const InterpProgram& program, std::uint32_t subprog, const std::uint64_t (&args)[5], bool is_main,
                        RunContext& run);

std::uint64_t interpret_body(const FunctionBody& body, const FunctionArgs& args, RunContext& run) {
  return interpret(*static_cast<const InterpProgram*>(body.code), body.subprog, {args[0], args[1], args[2], args[3], args[4]}, false, run);
}

/// A function with a detour is an activation of its own, which ends its tail calls itself. Its address is that of its first step.
std::uint64_t call_detoured(const InterpProgram& program, std::uint32_t subprog, const FunctionArgs& args, RunContext& run) {
  const Step* const first = program.steps.data() + program.subprogs[subprog].start;
  return program.detour(subprog)->enter(args, run,
                                        {.enter = interpret_body, .code = &program, .subprog = subprog, .address = reinterpret_cast<std::uintptr_t>(first)});
}

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgnu-label-as-value"
#else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif

/// One activation: subprogram `subprog` with arguments in r1 … r5. is_main: a tail call in the outermost
/// frame is left to Code::run.
std::uint64_t interpret(const InterpProgram& program, std::uint32_t subprog, const std::uint64_t (&args)[5],
                        bool is_main, RunContext& run) {
  static const void* const kHandlers[kStepCount] = {
#define RING3_INSN(op, bits, size, operand, ...) &&step_##op##_##bits##_##size##_##operand,
#include "isa/insn.def"
      &&step_tail_call,
      &&step_load_or_zero,
      &&step_load_sx_or_zero,
      &&step_store_imm_or_skip,
      &&step_store_or_skip,
      &&step_atomic_or_skip,
      &&step_throw,
      &&step_helper_may_throw,
      &&step_call_detoured,
  };

  alignas(16) std::byte stack[kMaxFrames * isa::kMaxStackBytes];
  std::byte* const stack_top = stack + sizeof stack;
  const CheckedSubprog& entry = program.subprogs[subprog];
  std::memset(stack_top - entry.stack_need, 0, entry.stack_need);

  SavedFrame frames[kMaxFrames];
  std::uint32_t depth = 0;
  std::uint32_t stack_bytes = entry.stack_bytes;
  std::uint32_t may_goto_budget = rewrite::kMayGotoBudget;
  std::uint64_t r[rewrite::kRewriteReg + 1] = {0, args[0], args[1], args[2], args[3], args[4]};
  r[isa::kFrameReg] = reinterpret_cast<std::uintptr_t>(stack_top);
  const Step* s = program.steps.data() + entry.start;

#define DISPATCH() goto* kHandlers[s->kind]
#define NEXT() \
  do {         \
    ++s;       \
    DISPATCH(); \
  } while (false)
#define ADDRESS(reg) (r[reg] + static_cast<std::uint64_t>(std::int64_t{s->off}))
#define OPERAND_K static_cast<std::uint64_t>(s->imm)
#define OPERAND_X r[s->src]

// One body per form of insn.def.
#define RUN_kAlu(op, bits, size, operand) r[s->dst] = isa::alu<bits>(Op::op, r[s->dst], OPERAND_##operand)
#define RUN_kNeg(op, bits, size, operand) r[s->dst] = isa::alu<bits>(Op::op, r[s->dst], 0)
#define RUN_kMov(op, bits, size, operand) r[s->dst] = move<Op::op, bits, size>(OPERAND_##operand)
#define RUN_kEnd(op, bits, size, operand) r[s->dst] = swap_ends<Op::op>(r[s->dst], static_cast<int>(s->imm))
#define RUN_kJa(op, bits, size, operand) s += s->off
#define RUN_kJump(op, bits, size, operand) \
  if (isa::jump_taken<bits>(Op::op, r[s->dst], OPERAND_##operand)) s += s->off
#define RUN_kMayGoto(op, bits, size, operand) \
  if (may_goto_budget == 0) s += s->off;      \
  else --may_goto_budget
#define RUN_kCall(op, bits, size, operand) goto run_##op
#define RUN_kExit(op, bits, size, operand) goto run_kExit
#define RUN_kLdx(op, bits, size, operand) r[s->dst] = load<Op::op, size>(ADDRESS(s->src))
#define RUN_kSt(op, bits, size, operand) store<size>(ADDRESS(s->dst), OPERAND_##operand)
#define RUN_kStx(op, bits, size, operand) store<size>(ADDRESS(s->dst), OPERAND_##operand)
#define RUN_kAtomic(op, bits, size, operand) atomic<Op::op, size>(ADDRESS(s->dst), r[s->src], r[0])
#define RUN_kLdImm64(op, bits, size, operand)           \
  r[s->dst] = static_cast<std::uint64_t>(s->imm); \
  ++s
// Never translated into steps, or never reached.
#define RUN_kAddrSpace(op, bits, size, operand) goto unreachable
#define RUN_kLdImm64Hi(op, bits, size, operand) goto unreachable
#define RUN_kLdSkb(op, bits, size, operand) goto unreachable

  DISPATCH();

#define RING3_INSN(op, bits, size, operand, code, dst, src, off, imm, effects, form, since, text) \
  step_##op##_##bits##_##size##_##operand : RUN_##form(op, bits, size, operand);                  \
  NEXT();
#include "isa/insn.def"

step_load_or_zero:
  r[s->dst] = load_or_zero(ADDRESS(s->src), static_cast<std::uint8_t>(s->imm));
  NEXT();

step_load_sx_or_zero:
  r[s->dst] = static_cast<std::uint64_t>(isa::sign_extend(
      load_or_zero(ADDRESS(s->src), static_cast<std::uint8_t>(s->imm)), static_cast<int>(s->imm) * 8));
  NEXT();

step_store_imm_or_skip:
  store_or_skip(ADDRESS(s->dst), static_cast<std::uint64_t>(s->imm), s->src);
  NEXT();

step_store_or_skip:
  store_or_skip(ADDRESS(s->dst), r[s->src], static_cast<std::size_t>(s->imm));
  NEXT();

step_atomic_or_skip:
  if (is_there(ADDRESS(s->dst), static_cast<std::size_t>(isa::kRows[static_cast<std::size_t>(s->imm)].size)))
    goto* kHandlers[s->imm];
  forget_fetched(static_cast<std::size_t>(s->imm), r[s->src], r[0]);
  NEXT();

step_throw:
  run.thrown = true;
  run.exception_cookie = r[1];
  return 0;

step_helper_may_throw:
  r[0] = call_helper(*s, r, run);
  if (run.thrown) return 0;
  NEXT();

run_kCallHelper:
  r[0] = call_helper(*s, r, run);
  NEXT();

run_kCallKfunc:
  r[0] = call_kfunc(*s, r);
  NEXT();

run_kCallSubprog: {
  const CheckedSubprog& callee = program.subprogs[static_cast<std::size_t>(s->imm)];
  frames[depth++] = {s + 1, {r[6], r[7], r[8], r[9]}, r[isa::kFrameReg], stack_bytes, may_goto_budget};
  r[isa::kFrameReg] -= stack_bytes;
  stack_bytes = callee.stack_bytes;
  may_goto_budget = rewrite::kMayGotoBudget;
  s += s->off;
  NEXT();
}

step_call_detoured:
  r[0] = call_detoured(program, static_cast<std::uint32_t>(s->imm), {r[1], r[2], r[3], r[4], r[5]}, run);
  if (run.thrown) return 0;
  NEXT();

step_tail_call: {
  const ProgramEntry* const caller = run.entry;
  const std::uint64_t ctx = r[1];
  r[0] = call_helper(*s, r, run);
  if (run.tail_target == nullptr) NEXT();
  if (depth == 0 && is_main) return 0;
  r[0] = run_nested_target(run, caller, ctx);
  goto run_kExit;
}

run_kExit: {
  if (depth == 0) return r[0];
  const SavedFrame& frame = frames[--depth];
  std::memcpy(&r[6], frame.callee_saved, sizeof frame.callee_saved);
  r[isa::kFrameReg] = frame.frame_pointer;
  stack_bytes = frame.stack_bytes;
  may_goto_budget = frame.may_goto_budget;
  s = frame.resume;
  DISPATCH();
}

unreachable:
  RING3_CHECK(false, "a step without a meaning");
  return 0;

#undef DISPATCH
#undef NEXT
#undef ADDRESS
#undef OPERAND_K
#undef OPERAND_X
#undef RUN_kAlu
#undef RUN_kNeg
#undef RUN_kMov
#undef RUN_kEnd
#undef RUN_kJa
#undef RUN_kJump
#undef RUN_kMayGoto
#undef RUN_kCall
#undef RUN_kExit
#undef RUN_kLdx
#undef RUN_kSt
#undef RUN_kStx
#undef RUN_kAtomic
#undef RUN_kLdImm64
#undef RUN_kAddrSpace
#undef RUN_kLdImm64Hi
#undef RUN_kLdSkb
}

#if defined(__clang__)
#pragma clang diagnostic pop
#else
#pragma GCC diagnostic pop
#endif

class InterpCode final : public Code {
 public:
  explicit InterpCode(InterpProgram program) : program_(std::move(program)) {
    exception_callback_ = program_.source->exception_callback;
  }

  std::uint64_t call_subprog(RunContext& run, std::uint32_t subprog, std::uint64_t r1, std::uint64_t r2,
                             std::uint64_t r3, std::uint64_t r4, std::uint64_t r5) const override {
    RING3_CHECK(subprog < program_.subprogs.size(), "callback of another program");
    if (program_.detour(subprog) != nullptr) return call_detoured(program_, subprog, {r1, r2, r3, r4, r5}, run);
    const std::uint64_t args[5] = {r1, r2, r3, r4, r5};
    return interpret(program_, subprog, args, false, run);
  }

  const char* tier() const override { return "interpreter"; }

 protected:
  std::uint64_t enter(RunContext& run, void* ctx) const override {
    if (program_.detour(0) == nullptr) return enter_body(run, ctx);
    const std::uint64_t result = call_detoured(program_, 0, {reinterpret_cast<std::uintptr_t>(ctx)}, run);
    return run.thrown ? thrown_result(run) : result;
  }
  std::uint64_t enter_body(RunContext& run, void* ctx) const override {
    const std::uint64_t args[5] = {reinterpret_cast<std::uintptr_t>(ctx), 0, 0, 0, 0};
    const std::uint64_t result = interpret(program_, 0, args, true, run);
    return run.thrown ? thrown_result(run) : result;
  }

 private:
  const InterpProgram program_;
};

class Interpreter final : public Engine {
 public:
  using Engine::compile;
  Result<std::unique_ptr<Code>> compile(std::shared_ptr<const rewrite::XlatedProgram> program, Detours detours) override {
    InterpProgram translated = RING3_TRY(translate(std::move(program), detours));
    return std::unique_ptr<Code>(new InterpCode(std::move(translated)));
  }
};

}  // namespace

std::unique_ptr<Engine> make_interpreter() { return std::make_unique<Interpreter>(); }

}  // namespace ring3::exec
