// What every execution tier is fed: a verified program with nothing left to decide.
//
// Instructions are decoded (isa::Insn). After rewriting
//   - a kLdImm64 of Pseudo::kImm holds a plain 64-bit value (maps, map values and host variables are addresses);
//   - a kLdImm64 of Pseudo::kFunc is a callback: imm = index into `subprogs`, and that is the register's value,
//     which helpers hand to exec::Code::call_subprog;
//   - context loads address the backing record of exec/;
//   - a kCallHelper has imm = index into `helpers`, a kCallKfunc index into `kfuncs`. Right after
//     BPF_FUNC_tail_call the tier looks at RunContext::tail_target;
//   - a kCallSubprog's jump leads to the callee's first instruction, and its imm is the callee's index
//     in `subprogs`;
//   - a kfunc call that throws (KfuncCall::throws) has no function: the tier leaves every frame of the program, also those
//     below a helper that called back, and the program's result is that of `exception_callback` for r1, or r1;
//   - a kMayGoto stays: the tier gives every frame a budget of kMayGotoBudget and jumps when it is used up;
//   - in programs of callers without CAP_PERFMON, sequences of arithmetic use kRewriteReg; so do accesses to an arena;
//   - dead code is gone; accesses that may fault (loads through untrusted pointers, anything in an arena) are in `faulting`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "isa/insn.h"

namespace ring3::exec {
struct RunContext;
}

namespace ring3::rewrite {

/// A register no program can name: instructions that passes put in may use it, from one to the next.
inline constexpr std::uint8_t kRewriteReg = isa::kRegCount;

inline constexpr std::uint32_t kMayGotoBudget = 8 * 1024 * 1024;

/// A helper: five registers in, one out, and the run it happens in.
using HelperFn = std::uint64_t (*)(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                                   std::uint64_t r5, exec::RunContext& run);

struct HelperCall {
  std::uint32_t id;  // enum bpf_func_id
  const char* name;
  HelperFn fn;
  bool needs_run = true;  // false: neither it nor what it calls looks at the run, calls a program back, or throws
};

struct KfuncCall {
  std::string name;
  void* address;             // uint64_t (*)(uint64_t × 5) by calling convention
  std::uint8_t ret_bytes;    // 0: void; narrower results are extended as declared
  bool ret_signed;
  bool throws = false;       // bpf_throw: address is null
};

/// Helpers no program can name. ids of HelperCall.
inline constexpr std::uint32_t kPacketLoadHelper = 0x80000000;    // | bytes: 1, 2 or 4: what legacy packet loads become
inline constexpr std::uint32_t kDirectHelper = 0x81000000;        // a map kind's own function (maps/inline_code.h)
inline constexpr std::uint32_t kCurrentCpuHelper = 0x82000000;    // r0 = the slot the run holds; r1 to r5 stay
inline constexpr std::uint32_t kWeakExchangeHelper = 0x83000000;  // bpf_kptr_xchg of a weak slot; r3: its WeakType
inline constexpr std::uint32_t kXdpRedirectHelper = 0x85000000;   // bpf_redirect in XDP programs
inline constexpr std::uint32_t kNoSubprog = UINT32_MAX;

struct XlatedSubprog {
  std::uint32_t start_idx;
  std::uint32_t end_idx;
  std::uint32_t stack_bytes;
};

struct XlatedProgram {
  std::vector<isa::Insn> insns;
  std::vector<XlatedSubprog> subprogs;     // main first
  std::vector<HelperCall> helpers;
  std::vector<KfuncCall> kfuncs;
  std::vector<std::uint32_t> faulting;     // sorted: accesses that may fault: what they load is zero, what they store is lost
  std::vector<std::uint32_t> nospec;       // sorted: stores no later load may overtake, even in a guess
  std::vector<std::uint32_t> original_idx; // per instruction: index in the program as loaded
  std::uint32_t exception_callback = kNoSubprog;  // index into subprogs
  bool touches_percpu = false;
  bool may_sleep = false;
};

}  // namespace ring3::rewrite
