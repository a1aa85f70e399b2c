// One run of one program on one thread: what helpers and tiers see of the world.
//
// A RunContext lives on the stack of ProgramEntry::run(). The runs of a thread form a chain (`outer`):
// it is the recursion guard, and it lets nested runs share a CPU slot.
#pragma once

#include <cstdint>

namespace ring3::rewrite {
struct PacketRecord;
}

namespace ring3::exec {

class ClientMemory;
class Code;
class HostServices;
class ProgramEntry;
class SeqOutput;
struct Machine;

inline constexpr std::uint32_t kMaxTailCalls = 33;

/// Tail calls: helper 12 counts in `tail_calls` and refuses above kMaxTailCalls; otherwise it sets
/// `tail_target` (and `entry`) and returns 0. Right after that helper, every tier looks at tail_target: null
/// means the call failed and the program goes on; else the current frame is left (see Code::enter).
struct RunContext {
  /// Written out, it makes compilers store field by field. Left to them, some clear the whole with `rep stos`, which takes
  /// longer than all the rest of entering a program.
  RunContext() noexcept {}

  HostServices* host = nullptr;        // clock, tasks, printk sink, …: the runtime that owns the program
  const ProgramEntry* entry = nullptr; // the program that was entered (tail calls change it)
  std::uint32_t cpu = 0;               // slot while holds_slot; meaningless otherwise
  std::uint32_t tail_calls = 0;
  const Code* code = nullptr;          // the code that runs now: whose subprograms callbacks name
  const Code* tail_target = nullptr;   // set by the tail call helper, taken by the tier at once
  std::uint64_t attach_cookie = 0;

  const ProgramEntry* root = nullptr;  // the program entered first; what the recursion guard compares
  Machine* machine = nullptr;          // what the programs of one runtime share
  RunContext* outer = nullptr;         // the run this one is nested in, on the same thread
  bool holds_slot = false;             // `cpu` is leased, by this run or by an outer one
  bool owns_slot = false;              // … by this one, which gives it back
  bool thrown = false;                 // an exception is on its way to the program's end; see Code::call_subprog
  std::uint64_t func_ip = 0;           // bpf_get_func_ip: address of the traced function, 0: none
  ClientMemory* client = nullptr;      // memory of the client a syscall program runs for; null: none
  SeqOutput* seq = nullptr;            // where an iterator program's output goes; null: it is none
  rewrite::PacketRecord* packet = nullptr;  // what sk_buff pointers mean; null: the context is the packet
  std::uint64_t exception_cookie = 0;  // what was thrown, while `thrown`
};

/// The innermost run of the calling thread; null outside programs.
RunContext* current_run() noexcept;

}  // namespace ring3::exec
