// System V x86-64: integers and pointers in rdi, rsi, rdx, rcx, r8, r9, then on the stack, 8 bytes each. A
// struct of up to 16 bytes of integers takes one or two of these; when two registers are not left it
// goes to the stack whole, and later arguments may still use the register it left. So does a packed one.
#include "exec/thunk_emit.h"

#if defined(__x86_64__)

#include <asmjit/x86.h>

#include <bit>
#include <cstddef>

#include "exec/cpu_slots.h"
#include "exec/program_entry.h"
#include "exec/run_context.h"
#include "exec/run_stats.h"
#include "ring3/read_section.h"

namespace ring3::exec {
namespace {

namespace x86 = asmjit::x86;

constexpr int kFirstStackArg = 16;  // above the saved rbp and the return address
static_assert(ring3::detail::kOpenSections == 0xffffffff);
static_assert(offsetof(RunContext, holds_slot) == offsetof(RunContext, cpu) + offsetof(LeasedState, holds_slot) &&
              offsetof(RunContext, tail_calls) == offsetof(RunContext, cpu) + offsetof(LeasedState, tail_calls) &&
              offsetof(RunContext, tail_calls) == offsetof(RunContext, holds_slot) + 4, "they are read and written together");
/// holds_slot and owns_slot, as a word with what stands behind them: nothing is left to do.
constexpr int kFinished = 0, kFinishedWithSlot = 0x0101;

class ThunkEmitter {
 public:
  explicit ThunkEmitter(x86::Assembler& a) : a_(a) {}

  void emit(const ThunkShape& shape, ThunkTarget target, void* data, const ProgramWay& way) {
    a_.endbr64();
    a_.push(x86::rbp);
    a_.mov(x86::rbp, x86::rsp);
    a_.sub(x86::rsp, static_cast<int>((shape.slots() * 8 + 15) / 16 * 16));
    for (const ThunkArg& arg : shape.args) save(arg);
    switch (way.kind) {
      case ProgramWay::Kind::kNone: call_target(target, data); break;
      case ProgramWay::Kind::kLeaf: enter_leaf(way); break;
      case ProgramWay::Kind::kRun: enter_run(way); break;
    }
    a_.bind(called_);
    narrow_result(shape);
    a_.mov(x86::rsp, x86::rbp);
    a_.pop(x86::rbp);
    a_.ret();
    if (way.kind == ProgramWay::Kind::kNone) return;
    a_.bind(otherwise_);
    call_target(target, data);
    a_.jmp(called_);
    if (way.kind == ProgramWay::Kind::kRun) finish_run(way);
  }

 private:
  /// The way of a leaf. rdx: `code`; rax: what is called.
  void enter_leaf(const ProgramWay& way) {
    check(way);
    count(way);
    a_.mov(x86::rdi, x86::rsp);
    a_.call(x86::rax);
  }

  /// ProgramEntry::run_ready(), step by step in its order; the reasons stand there.
  void enter_run(const ProgramWay& way) {
    check(way);
    a_.cmp(of_thread(&t_runs, 8, offsetof(ThreadRuns, current)), 0);
    a_.jne(otherwise_);
    if (way.slots != nullptr) lease(*way.slots);
    count(way);
    a_.mov(x86::r9, thread_pointer());
    a_.add(x86::r9, static_cast<std::int32_t>(distance(&t_runs.idle)));
    begin_run(way);
    a_.mov(x86::rdi, x86::rsp);
    a_.call(x86::qword_ptr(x86::rax, offsetof(ReadyCode, fn)));

    a_.cmp(of_run(8, offsetof(RunContext, holds_slot)), way.slots != nullptr ? kFinishedWithSlot : kFinished);  // and `tail_calls`
    a_.jne(unfinished_);
    if (way.slots != nullptr) a_.mov(of_run(4, offsetof(RunContext, holds_slot)), 0);
    a_.mov(of_thread(&t_runs, 8, offsetof(ThreadRuns, current)), 0);
    if (way.slots != nullptr) give_back(*way.slots);
  }

  void finish_run(const ProgramWay& way) {
    a_.bind(unfinished_);
    a_.mov(x86::rdi, x86::rax);
    call(&ProgramEntry::finish);
    a_.jmp(called_);
    if (way.slots == nullptr) return;
    a_.bind(lost_);  // whoever waits is told by who leases in the long way
    a_.mov(x86::qword_ptr(x86::r10, offsetof(detail::SlotThread, inside)), 0);
    a_.jmp(otherwise_);
    a_.bind(waited_for_);
    a_.mov(x86::rdi, reinterpret_cast<std::uintptr_t>(way.slots));
    a_.mov(x86::rsi, x86::rax);
    call(&wake);
    a_.jmp(called_);
  }

  static std::uint64_t wake(CpuSlots* slots, std::uint64_t result) {
    slots->wake();
    return result;
  }

  /// Whether the short way is open. rax: what stands in `code`; rcx, rsi: where the count is, and it.
  void check(const ProgramWay& way) {
    a_.mov(x86::rdx, reinterpret_cast<std::uintptr_t>(way.code));
    a_.mov(x86::rax, x86::qword_ptr(x86::rdx));
    a_.test(x86::rax, x86::rax);
    a_.jz(otherwise_);
    a_.mov(x86::rcx, of_thread(&ring3::detail::t_reader, 8));
    a_.test(x86::rcx, x86::rcx);
    a_.jz(otherwise_);
    a_.cmp(x86::dword_ptr(x86::rcx), 0);  // open sections are counted in the low half of a record
    a_.je(otherwise_);
    const auto to_measuring = static_cast<const char*>(way.measuring) - static_cast<const char*>(way.code);
    if (to_measuring == static_cast<std::int32_t>(to_measuring)) {
      a_.cmp(x86::dword_ptr(x86::rdx, static_cast<std::int32_t>(to_measuring)), 0);
    } else {
      a_.mov(x86::rcx, reinterpret_cast<std::uintptr_t>(way.measuring));
      a_.cmp(x86::dword_ptr(x86::rcx), 0);
    }
    a_.jne(otherwise_);
    a_.mov(x86::ecx, of_thread(&detail::t_own_runs, 4));
    a_.mov(x86::rsi, runs(way));
    static_assert(RunStats::kSampledEvery == 256, "the turn is told by one byte");
    a_.cmp(x86::sil, RunStats::kSampledAt);
    a_.je(otherwise_);
  }

  void count(const ProgramWay& way) {
    a_.inc(x86::rsi);
    a_.mov(runs(way), x86::rsi);
  }

  static x86::Mem runs(const ProgramWay& way) {
    return x86::qword_ptr(x86::rdx, x86::rcx, 0,
                          static_cast<std::int32_t>(static_cast<const char*>(way.runs) - static_cast<const char*>(way.code)));
  }

  /// CpuSlots::acquire_own(): r10 is the thread.
  void lease(const CpuSlots& slots) {
    a_.mov(x86::r10, of_thread(&detail::t_slot_thread, 8));
    a_.test(x86::r10, x86::r10);
    a_.jz(otherwise_);
    a_.mov(x86::r11, slots.id());
    a_.cmp(x86::qword_ptr(x86::r10, offsetof(detail::SlotThread, slots_id)), x86::r11);
    a_.jne(otherwise_);
    a_.cmp(x86::qword_ptr(x86::r10, offsetof(detail::SlotThread, inside)), 0);
    a_.jne(otherwise_);
    a_.mov(x86::r11, x86::qword_ptr(x86::r10, offsetof(detail::SlotThread, own)));
    a_.mov(x86::qword_ptr(x86::r10, offsetof(detail::SlotThread, inside)), x86::r11);
    a_.cmp(x86::qword_ptr(x86::r11), x86::r10);
    a_.jne(lost_);
  }

  /// CpuSlots::release_own().
  void give_back(const CpuSlots& slots) {
    a_.mov(x86::r10, of_thread(&detail::t_slot_thread, 8));
    a_.mov(x86::qword_ptr(x86::r10, offsetof(detail::SlotThread, inside)), 0);
    a_.mov(x86::rcx, reinterpret_cast<std::uintptr_t>(&slots.waiters()));
    a_.cmp(x86::dword_ptr(x86::rcx), 0);
    a_.jne(waited_for_);
  }

  /// Takes the context at r9 and begins a run of the ReadyCode at rax (RunContext::begin()); with the slot of the thread at r10.
  void begin_run(const ProgramWay& way) {
    static_assert(offsetof(RunStart, root) == offsetof(RunContext, root) && offsetof(RunStart, code) == offsetof(RunContext, code) &&
                  offsetof(RunStart, host) == offsetof(RunContext, host) && offsetof(RunStart, entry) == offsetof(RunContext, entry) &&
                  offsetof(RunStart, machine) == offsetof(RunContext, machine) && sizeof(RunStart) == 40);
    constexpr int kStart = offsetof(ReadyCode, start), kTaken = -static_cast<int>(offsetof(ThreadRuns, idle));
    a_.movq(x86::xmm0, x86::r9);
    a_.movhps(x86::xmm0, x86::qword_ptr(x86::rax, kStart));
    a_.movups(x86::xmm1, x86::xmmword_ptr(x86::rax, kStart + 8));
    a_.movups(x86::xmm2, x86::xmmword_ptr(x86::rax, kStart + 24));
    if (way.slots != nullptr) a_.movaps(x86::xmm3, x86::xmmword_ptr(x86::r10, offsetof(detail::SlotThread, own_state)));
    a_.movaps(x86::xmmword_ptr(x86::r9, kTaken), x86::xmm0);  // `current` and `root`, first
    a_.movaps(x86::xmmword_ptr(x86::r9, kTaken + 16), x86::xmm1);
    a_.movaps(x86::xmmword_ptr(x86::r9, kTaken + 32), x86::xmm2);
    // Whole: what is read of it afterwards is part of it.
    if (way.slots != nullptr) a_.movaps(x86::xmmword_ptr(x86::r9, offsetof(RunContext, cpu)), x86::xmm3);
  }

  template <typename Fn>
  void call(Fn fn) {
    a_.mov(x86::rax, std::bit_cast<std::uint64_t>(fn));
    a_.call(x86::rax);
  }

  void call_target(ThunkTarget target, void* data) {
    a_.mov(x86::rdi, reinterpret_cast<std::uint64_t>(data));
    a_.mov(x86::rsi, x86::rsp);
    a_.mov(x86::rax, std::bit_cast<std::uint64_t>(target));
    a_.call(x86::rax);
  }

  /// Thread-local storage of the initial-exec kind is equally far from every thread's pointer.
  template <typename T>
  static std::intptr_t distance(const T* variable) {
    std::intptr_t thread;
    asm("mov %%fs:0, %0" : "=r"(thread));
    return reinterpret_cast<std::intptr_t>(variable) - thread;
  }

  static x86::Mem in_thread(std::intptr_t off, std::uint32_t bytes) {
    x86::Mem mem = x86::ptr_abs(static_cast<std::uintptr_t>(off), bytes);
    mem.setSegment(x86::fs);
    return mem;
  }
  template <typename T>
  static x86::Mem of_thread(const T* variable, std::uint32_t bytes, std::size_t off = 0) {
    return in_thread(distance(variable) + static_cast<std::intptr_t>(off), bytes);
  }
  static x86::Mem of_run(std::uint32_t bytes, std::size_t off) {
    return of_thread(&t_runs, bytes, offsetof(ThreadRuns, idle) + off);
  }
  static x86::Mem thread_pointer() { return in_thread(0, 8); }

  void save(const ThunkArg& arg) {
    const bool two = arg.bytes > 8;
    const bool in_registers = !arg.in_memory && next_reg_ + (two ? 2u : 1u) <= 6;
    save_eightbyte(two ? 8 : arg.bytes, arg.is_signed, in_registers);
    if (two) save_eightbyte(arg.bytes - 8, false, in_registers);
  }

  void save_eightbyte(int bytes, bool is_signed, bool in_register) {
    if (in_register && bytes == 8) {
      a_.mov(x86::qword_ptr(x86::rsp, 8 * next_slot_++), reg(next_reg_++));
      return;
    }
    if (in_register)
      a_.mov(x86::rax, reg(next_reg_++));
    else
      a_.mov(x86::rax, x86::qword_ptr(x86::rbp, kFirstStackArg + 8 * next_stack_++));
    extend(bytes, is_signed);
    a_.mov(x86::qword_ptr(x86::rsp, 8 * next_slot_++), x86::rax);
  }

  /// rax = its low `bytes` bytes, extended.
  void extend(int bytes, bool is_signed) {
    switch (bytes) {
      case 1: is_signed ? a_.movsx(x86::rax, x86::al) : a_.movzx(x86::eax, x86::al); return;
      case 2: is_signed ? a_.movsx(x86::rax, x86::ax) : a_.movzx(x86::eax, x86::ax); return;
      case 4: is_signed ? a_.movsxd(x86::rax, x86::eax) : a_.mov(x86::eax, x86::eax); return;
      case 8: return;
      default:  // structs of odd sizes: what lies behind them is not the program's to see
        a_.shl(x86::rax, 64 - 8 * bytes);
        a_.shr(x86::rax, 64 - 8 * bytes);
    }
  }

  void narrow_result(const ThunkShape& shape) {
    if (shape.ret_bytes == 0) {
      a_.xor_(x86::eax, x86::eax);
    } else if (shape.ret_bool) {
      a_.test(x86::al, x86::al);
      a_.setne(x86::al);
      a_.movzx(x86::eax, x86::al);
    } else {
      extend(shape.ret_bytes, shape.ret_signed);
    }
  }

  static x86::Gp reg(unsigned i) {
    const x86::Gp order[] = {x86::rdi, x86::rsi, x86::rdx, x86::rcx, x86::r8, x86::r9};
    return order[i];
  }

  x86::Assembler& a_;
  const asmjit::Label otherwise_ = a_.newLabel(), called_ = a_.newLabel(), unfinished_ = a_.newLabel(), lost_ = a_.newLabel(),
                      waited_for_ = a_.newLabel();
  unsigned next_reg_ = 0;
  int next_stack_ = 0;
  int next_slot_ = 0;
};

}  // namespace

Result<std::vector<std::byte>> emit_thunk(const ThunkShape& shape, ThunkTarget target, void* data, const ProgramWay& way) {
  asmjit::CodeHolder code;
  if (code.init(asmjit::Environment::host()) != asmjit::kErrorOk) return Errno::kNoMem;
  x86::Assembler assembler(&code);
  ThunkEmitter(assembler).emit(shape, target, data, way);
  std::vector<std::byte> bytes(code.codeSize());
  if (bytes.empty() || code.copyFlattenedData(bytes.data(), bytes.size()) != asmjit::kErrorOk) return Errno::kNoMem;
  return bytes;
}

}  // namespace ring3::exec

#endif
