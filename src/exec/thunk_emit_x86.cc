// System V x86-64: integers and pointers in rdi, rsi, rdx, rcx, r8, r9, then on the stack, 8 bytes each. A
// struct of up to 16 bytes of integers takes one or two of these; when two registers are not left it
// goes to the stack whole, and later arguments may still use the register it left.
#include "exec/thunk_emit.h"

#if defined(__x86_64__)

#include <asmjit/x86.h>

#include <bit>

#include "exec/run_stats.h"
#include "ring3/read_section.h"

namespace ring3::exec {
namespace {

namespace x86 = asmjit::x86;

constexpr int kFirstStackArg = 16;  // above the saved rbp and the return address
static_assert(ring3::detail::kOpenSections == 0xffffffff);

class ThunkEmitter {
 public:
  explicit ThunkEmitter(x86::Assembler& a) : a_(a) {}

  void emit(const ThunkShape& shape, ThunkTarget target, void* data, const LeafWay& way) {
    a_.endbr64();
    a_.push(x86::rbp);
    a_.mov(x86::rbp, x86::rsp);
    a_.sub(x86::rsp, static_cast<int>((shape.slots() * 8 + 15) / 16 * 16));
    for (const ThunkArg& arg : shape.args) save(arg);
    const asmjit::Label otherwise = a_.newLabel(), called = a_.newLabel();
    if (way.leaf != nullptr) enter_leaf(way, otherwise);
    else call_target(target, data);
    a_.bind(called);
    narrow_result(shape);
    a_.leave();
    a_.ret();
    if (way.leaf == nullptr) return;
    a_.bind(otherwise);
    call_target(target, data);
    a_.jmp(called);
  }

 private:
  /// The short way of exec/program_entry.h.
  void enter_leaf(const LeafWay& way, const asmjit::Label& otherwise) {
    a_.mov(x86::rdx, reinterpret_cast<std::uintptr_t>(way.leaf));
    a_.mov(x86::rax, x86::qword_ptr(x86::rdx));
    a_.test(x86::rax, x86::rax);
    a_.jz(otherwise);
    a_.mov(x86::rcx, of_thread(&ring3::detail::t_reader, 8));
    a_.test(x86::rcx, x86::rcx);
    a_.jz(otherwise);
    a_.cmp(x86::dword_ptr(x86::rcx), 0);  // open sections are counted in the low half of a record
    a_.je(otherwise);
    a_.mov(x86::rcx, reinterpret_cast<std::uintptr_t>(way.measuring));
    a_.cmp(x86::dword_ptr(x86::rcx), 0);
    a_.jne(otherwise);
    a_.mov(x86::ecx, of_thread(&detail::t_ordinal, 4));
    a_.cmp(x86::ecx, RunStats::kShards);
    a_.jae(otherwise);
    a_.shl(x86::ecx, std::countr_zero(RunStats::kShardBytes));
    // The leaf's address and the counters are members of one entry.
    const auto runs = static_cast<std::int32_t>(static_cast<const char*>(way.runs) - static_cast<const char*>(way.leaf));
    static_assert(RunStats::kSampledEvery == 256, "the turn is told by one byte");
    a_.mov(x86::rsi, x86::qword_ptr(x86::rdx, x86::rcx, 0, runs));
    a_.cmp(x86::sil, RunStats::kSampledAt);
    a_.je(otherwise);
    a_.inc(x86::rsi);
    a_.mov(x86::qword_ptr(x86::rdx, x86::rcx, 0, runs), x86::rsi);
    a_.mov(x86::rdi, x86::rsp);
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
  static x86::Mem of_thread(const T* variable, std::uint32_t bytes) {
    std::uintptr_t thread;
    asm("mov %%fs:0, %0" : "=r"(thread));
    x86::Mem mem = x86::ptr_abs(reinterpret_cast<std::uintptr_t>(variable) - thread, bytes);
    mem.setSegment(x86::fs);
    return mem;
  }

  void save(const ThunkArg& arg) {
    const bool two = arg.bytes > 8;
    const bool in_registers = next_reg_ + (two ? 2u : 1u) <= 6;
    save_eightbyte(two ? 8 : arg.bytes, arg.is_signed, in_registers);
    if (two) save_eightbyte(arg.bytes - 8, false, in_registers);
  }

  void save_eightbyte(int bytes, bool is_signed, bool in_register) {
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
  unsigned next_reg_ = 0;
  int next_stack_ = 0;
  int next_slot_ = 0;
};

}  // namespace

Result<std::vector<std::byte>> emit_thunk(const ThunkShape& shape, ThunkTarget target, void* data, const LeafWay& way) {
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
