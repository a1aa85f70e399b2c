// One program to a bpf(2), the machine's kernel's or a Runtime's: its verdict, and its log. Nothing is attached.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "isa/insn.h"
#include "uapi/bpf.h"

namespace ring3::native {

/// A command of bpf(2); negative: an errno.
using Bpf = std::function<long(int cmd, void* attr, std::uint32_t size)>;
/// The machine's kernel's.
Bpf kernel_bpf();

uapi::bpf_attr zero_attr();
inline std::uint64_t address_of(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

/// A map of one element, or more; negative: an errno.
long create_map(const Bpf& bpf, std::uint32_t type, std::uint32_t key_bytes, std::uint32_t value_bytes, std::uint32_t entries);
/// Which functions a program has, for one whose callbacks have to be static ones.
struct FunctionRecords {
  long btf;  // a descriptor
  std::span<const uapi::bpf_func_info> records;
};

/// The descriptor, or an errno. log: gets the verifier's text; most time goes into that when a loop is followed for a million
/// instructions.
long load_program(const Bpf& bpf, std::uint32_t prog_type, std::uint32_t flags, std::span<const isa::RawInsn> insns, std::string* log,
                  const FunctionRecords* functions = nullptr);

/// What a verifier may give up on although nothing is wrong. (EFAULT: newer kernels say "verifier bug", of their own.)
bool gave_up(long error);

}  // namespace ring3::native
