#include "exec/fault_routines.h"

#if defined(__x86_64__)

// Written in assembly so that the addresses that may fault are known exactly, and so that no sanitizer
// looks at the memory. Each routine keeps nothing on the stack while it may fault.
asm(R"(
        .text
        .p2align 4
        .globl  ring3_fault_copy
        .hidden ring3_fault_copy
        .type   ring3_fault_copy, @function
ring3_fault_copy:
        .cfi_startproc
        mov     %rdx, %rcx
        .globl  ring3_fault_copy_insn
        .hidden ring3_fault_copy_insn
ring3_fault_copy_insn:
        rep movsb
        .globl  ring3_fault_copy_fixup
        .hidden ring3_fault_copy_fixup
ring3_fault_copy_fixup:
        mov     %rcx, %rax
        ret
        .cfi_endproc
        .size   ring3_fault_copy, .-ring3_fault_copy

        .p2align 4
        .globl  ring3_fault_copy_string
        .hidden ring3_fault_copy_string
        .type   ring3_fault_copy_string, @function
ring3_fault_copy_string:
        .cfi_startproc
        xor     %eax, %eax
1:      cmp     %rdx, %rax
        je      2f
        .globl  ring3_fault_string_insn
        .hidden ring3_fault_string_insn
ring3_fault_string_insn:
        movzbl  (%rsi,%rax), %ecx
        movb    %cl, (%rdi,%rax)
        inc     %rax
        test    %cl, %cl
        jne     1b
2:      ret
        .globl  ring3_fault_string_fixup
        .hidden ring3_fault_string_fixup
ring3_fault_string_fixup:
        mov     $-1, %rax
        ret
        .cfi_endproc
        .size   ring3_fault_copy_string, .-ring3_fault_copy_string

        .macro  ring3_fault_load bytes, insn:vararg
        .p2align 4
        .globl  ring3_fault_load\bytes
        .hidden ring3_fault_load\bytes
        .type   ring3_fault_load\bytes, @function
ring3_fault_load\bytes:
        .cfi_startproc
        \insn
        ret
        .cfi_endproc
        .size   ring3_fault_load\bytes, .-ring3_fault_load\bytes
        .endm
        ring3_fault_load 1, movzbl (%rdi), %eax
        ring3_fault_load 2, movzwl (%rdi), %eax
        ring3_fault_load 4, movl (%rdi), %eax
        ring3_fault_load 8, movq (%rdi), %rax
        .purgem ring3_fault_load

        .globl  ring3_fault_load_fixup
        .hidden ring3_fault_load_fixup
ring3_fault_load_fixup:
        .cfi_startproc
        xor     %eax, %eax
        ret
        .cfi_endproc
)");

extern "C" {
extern const char ring3_fault_copy_insn[], ring3_fault_copy_fixup[];
extern const char ring3_fault_string_insn[], ring3_fault_string_fixup[];
extern const char ring3_fault_load_fixup[];
}

namespace ring3::exec {

std::span<const FaultEntry> fault_table() noexcept {
  static const FaultEntry kTable[] = {
      {ring3_fault_copy_insn, ring3_fault_copy_fixup},
      {ring3_fault_string_insn, ring3_fault_string_fixup},
      {reinterpret_cast<const void*>(&ring3_fault_load1), ring3_fault_load_fixup},
      {reinterpret_cast<const void*>(&ring3_fault_load2), ring3_fault_load_fixup},
      {reinterpret_cast<const void*>(&ring3_fault_load4), ring3_fault_load_fixup},
      {reinterpret_cast<const void*>(&ring3_fault_load8), ring3_fault_load_fixup},
  };
  return kTable;
}

}  // namespace ring3::exec

#else

#include <sys/uio.h>
#include <unistd.h>

namespace {

/// Bytes copied before the first unreadable page.
std::size_t copy_own_memory(void* to, const void* from, std::size_t bytes) {
  const iovec local{to, bytes};
  const iovec remote{const_cast<void*>(from), bytes};
  const ssize_t copied = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  return copied < 0 ? 0 : static_cast<std::size_t>(copied);
}

template <typename T>
std::uint64_t load(const void* from) {
  T value{};
  return copy_own_memory(&value, from, sizeof(T)) == sizeof(T) ? value : 0;
}

}  // namespace

extern "C" {
std::size_t ring3_fault_copy(void* to, const void* from, std::size_t bytes) {
  return bytes - copy_own_memory(to, from, bytes);
}
long ring3_fault_copy_string(char* to, const char* from, std::size_t room) {
  for (std::size_t i = 0; i < room; ++i) {
    if (copy_own_memory(to + i, from + i, 1) != 1) return -1;
    if (to[i] == 0) return static_cast<long>(i + 1);
  }
  return static_cast<long>(room);
}
std::uint64_t ring3_fault_load1(const void* from) { return load<std::uint8_t>(from); }
std::uint64_t ring3_fault_load2(const void* from) { return load<std::uint16_t>(from); }
std::uint64_t ring3_fault_load4(const void* from) { return load<std::uint32_t>(from); }
std::uint64_t ring3_fault_load8(const void* from) { return load<std::uint64_t>(from); }
}

namespace ring3::exec {
std::span<const FaultEntry> fault_table() noexcept { return {}; }
}  // namespace ring3::exec

#endif
