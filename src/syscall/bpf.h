// The one entry of bpf(2). Behind it stands the command table (command_table.h).
#pragma once

#include <cstdint>

#include "syscall/caller.h"
#include "syscall/kernel.h"

namespace ring3::syscall {

/// Arguments four and five of the five-argument form (behaviour.md 0.1.4); used when bit 16 of cmd is set.
struct CommonAttrs {
  std::uint64_t address = 0;
  std::uint32_t size = 0;
};

/// Answers one command: a result ≥ 0 or a negated errno, as the system call would.
/// attr: address of `size` bytes in the caller's memory; outputs go back into it, within `size` only.
/// Thread-safe; a Caller serves one command at a time. Runs no program except for PROG_TEST_RUN.
/// Errors of the entry: kTooBig size above one page or a tail that is not zero; kInval unknown command,
/// or a nonzero byte after the command's last field; kFault; kNoMem.
/// Source: bpf(2), behaviour.md 0.1.
long bpf(Kernel& kernel, Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size, CommonAttrs common_attrs = {});

}  // namespace ring3::syscall
