// System V x86-64: integers and pointers in rdi, rsi, rdx, rcx, r8, r9, then on the stack, 8 bytes each. A
// struct of up to 16 bytes of integers takes one or two of these; when two registers are not left it
// goes to the stack whole, and later arguments may still use the register it left.
#include "exec/thunk_emit.h"

#if defined(__x86_64__)

#include <asmjit/x86.h>

#include <bit>

namespace ring3::exec {
namespace {

namespace x86 = asmjit::x86;

constexpr int kFirstStackArg = 16;  // above the saved rbp and the return address

class ThunkEmitter {
 public:
  explicit ThunkEmitter(x86::Assembler& a) : a_(a) {}

  void emit(const ThunkShape& shape, ThunkTarget target, void* data) {
    a_.endbr64();
    a_.push(x86::rbp);
    a_.mov(x86::rbp, x86::rsp);
    a_.sub(x86::rsp, static_cast<int>((shape.slots() * 8 + 15) / 16 * 16));
    for (const ThunkArg& arg : shape.args) save(arg);
    a_.mov(x86::rdi, reinterpret_cast<std::uint64_t>(data));
    a_.mov(x86::rsi, x86::rsp);
    a_.mov(x86::rax, std::bit_cast<std::uint64_t>(target));
    a_.call(x86::rax);
    narrow_result(shape);
    a_.leave();
    a_.ret();
  }

 private:
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

Result<std::vector<std::byte>> emit_thunk(const ThunkShape& shape, ThunkTarget target, void* data) {
  asmjit::CodeHolder code;
  if (code.init(asmjit::Environment::host()) != asmjit::kErrorOk) return Errno::kNoMem;
  x86::Assembler assembler(&code);
  ThunkEmitter(assembler).emit(shape, target, data);
  std::vector<std::byte> bytes(code.codeSize());
  if (bytes.empty() || code.copyFlattenedData(bytes.data(), bytes.size()) != asmjit::kErrorOk) return Errno::kNoMem;
  return bytes;
}

}  // namespace ring3::exec

#endif
