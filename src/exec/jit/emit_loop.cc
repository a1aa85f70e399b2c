// bpf_loop with a callback that is known: the loop stands in the caller, and each turn is a plain call.
//
// What does not hold of such a call (unknown flags, too many turns) is left to the helper itself, which knows the errors.
#if defined(__x86_64__)

#include "exec/jit/emitter.h"

namespace ring3::exec::jit {
namespace {

constexpr std::int32_t kMostTurns = 8 * 1024 * 1024;  // as the helper has it

}  // namespace

/// r1: turns; r3: what the callback gets; r4: flags. The counter, the turns and the context are kept in registers that
/// callees keep; the caller's own values of these wait on the stack.
bool Emitter::loop_over_callback(std::uint32_t idx) {
  const std::uint32_t callback = known_callback(program_, checked_, shape_, idx);
  if (callback >= shape_.functions.size()) return false;
  const FunctionShape& callee = shape_.functions[callback];
  const Gp turn = x86::ebx, turns = x86::r13d, ctx = x86::r14;
  const Label helper = a_.newLabel(), again = a_.newLabel(), leave = a_.newLabel(), done = a_.newLabel();

  a_.test(r64(4), r64(4));
  a_.jne(helper);
  a_.cmp(r32(1), kMostTurns);
  a_.ja(helper);
  a_.xor_(x86::eax, x86::eax);
  a_.test(r32(1), r32(1));
  a_.je(done);
  for (const Gp& saved : {x86::rbx, x86::r13, x86::r14, x86::r14}) a_.push(saved);  // four: rsp stays aligned
  a_.xor_(turn, turn);
  a_.mov(turns, r32(1));
  a_.mov(ctx, r64(3));

  a_.bind(again);
  a_.mov(r32(1), turn);
  a_.mov(r64(2), ctx);
  if (callee.needs_run || callee.may_throw) a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
  a_.call(entry_of(callee));
  a_.inc(turn);
  if (callee.may_throw) {
    a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
    a_.cmp(x86::byte_ptr(kScratch, static_cast<int>(offsetof(RunContext, thrown))), 0);
    a_.jne(leave);
  }
  a_.test(x86::rax, x86::rax);
  a_.jne(leave);
  a_.cmp(turn, turns);
  a_.jb(again);

  a_.bind(leave);
  a_.mov(x86::eax, turn);
  for (const Gp& saved : {x86::r14, x86::r14, x86::r13, x86::rbx}) a_.pop(saved);
  a_.jmp(done);

  a_.bind(helper);
  a_.mov(kScratch, x86::qword_ptr(x86::rbp, frame_.run));
  call_address(reinterpret_cast<const void*>(program_.helpers[static_cast<std::size_t>(program_.insns[idx].imm)].fn));
  a_.bind(done);
  if (frame_.shape->may_throw) leave_if_thrown();
  return true;
}

}  // namespace ring3::exec::jit

#endif
