// The routines that may fault, and the exception table over them. Private to exec/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "exec/fault.h"

namespace ring3::exec {

extern "C" {
// Either side may be the untrusted one.
/// Copies, and returns how many bytes were left when a fault stopped it.
std::size_t ring3_fault_copy(void* to, const void* from, std::size_t bytes);
/// Copies bytes up to and with the first NUL, at most `room`. Returns bytes copied, or -1 on a fault.
long ring3_fault_copy_string(char* to, const char* from, std::size_t room);
std::uint64_t ring3_fault_load1(const void* from);
std::uint64_t ring3_fault_load2(const void* from);
std::uint64_t ring3_fault_load4(const void* from);
std::uint64_t ring3_fault_load8(const void* from);
}

/// Where there is a hand-written form (x86-64). Elsewhere the routines ask the system to copy
/// (process_vm_readv on the own process), which answers instead of faulting, and the table is empty.
std::span<const FaultEntry> fault_table() noexcept;

}  // namespace ring3::exec
