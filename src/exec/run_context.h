// One run of one program on one thread: what helpers and tiers see of the world.
//
// A RunContext lives on the stack of ProgramEntry::run(). The runs of a thread form a chain (`outer`):
// it is the recursion guard, and it lets nested runs share a CPU slot.
#pragma once

#include <cstdint>

namespace ring3::exec {

class ClientMemory;
class HostServices;
class ProgramEntry;
struct Machine;

inline constexpr std::uint32_t kNoCpu = UINT32_MAX;
inline constexpr std::uint32_t kMaxTailCalls = 33;

struct RunContext {
  HostServices* host = nullptr;        // clock, tasks, printk sink, …: the runtime that owns the program
  const ProgramEntry* entry = nullptr; // the program that was entered (tail calls change it)
  std::uint32_t cpu = 0;               // slot when the program touches per-CPU state, else a hint
  std::uint32_t tail_calls = 0;
  std::uint64_t attach_cookie = 0;

  Machine* machine = nullptr;          // what the programs of one runtime share
  RunContext* outer = nullptr;         // the run this one is nested in, on the same thread
  bool holds_slot = false;             // `cpu` is leased, by this run or by an outer one
  std::uint64_t func_ip = 0;           // bpf_get_func_ip: address of the traced function, 0: none
  ClientMemory* client = nullptr;      // memory of the client a syscall program runs for; null: none

  /// Calls a callback of the running program from inside a helper. fn: the value the tier put where the
  /// program names a function (see rewrite/xlated.h). Code::run sets both on entry and restores the
  /// former values on return, because a tail call from a subprogram comes back to the program it left.
  std::uint64_t (*invoke)(RunContext& run, std::uint64_t fn, const std::uint64_t (&args)[5]) = nullptr;
  const void* tier = nullptr;          // private to whoever set `invoke`
};

/// The innermost run of the calling thread; null outside programs.
RunContext* current_run() noexcept;

}  // namespace ring3::exec
