// One run of one program on one thread: what helpers and tiers see of the world.
//
// A RunContext lives on the stack of ProgramEntry::run(), or is the thread's own one that is kept ready (ThreadRuns). The
// runs of a thread form a chain (`outer`): it is the recursion guard, it lets nested runs share a CPU slot, and a fault
// handler finds the code that runs through it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ring3::rewrite {
struct PacketRecord;
}

namespace ring3::exec {

class Client;
class Code;
class HostServices;
class ProgramEntry;
class SeqOutput;
struct Machine;
struct RunContext;
struct TracedCall;

/// What the runs of one program's code begin with. Made with the code; in the order of RunContext's first fields.
struct RunStart {
  const ProgramEntry* root = nullptr;
  const Code* code = nullptr;
  HostServices* host = nullptr;
  const ProgramEntry* entry = nullptr;
  Machine* machine = nullptr;
};

/// A run's CPU slot and what has to be done when it returns, at the start of a run with a slot of the thread's own. One store
/// of 16 bytes; RunContext's fields of these names, in their order.
struct alignas(16) LeasedState {
  std::uint64_t cpu = 0;
  bool holds_slot = true;
  bool owns_slot = true;
  bool thrown = false;
  bool unused = false;
  std::uint32_t tail_calls = 0;
};
static_assert(sizeof(LeasedState) == 16);

inline constexpr std::uint32_t kMaxTailCalls = 33;

/// Tail calls: helper 12 counts in `tail_calls` and refuses above kMaxTailCalls; otherwise it sets
/// `tail_target` (and `entry`) and returns 0: whoever finds tail_calls at 0 need not look at the target. Right after that helper, every tier looks at tail_target: null
/// means the call failed and the program goes on; else the current frame is left (see Code::enter).
struct RunContext {
  /// Written out, it makes compilers store field by field. Left to them, some clear the whole with `rep stos`, which takes
  /// longer than all the rest of entering a program.
  RunContext() noexcept {}
  /// For static storage; a constexpr default constructor would bring `rep stos` back.
  struct Static {};
  constexpr explicit RunContext(Static) noexcept {}

  const ProgramEntry* root = nullptr;  // the program entered first; what the recursion guard compares
  const Code* code = nullptr;          // the code that runs now: whose subprograms callbacks name, and whose loads may fault
  HostServices* host = nullptr;        // clock, tasks, printk sink, …: the runtime that owns the program
  const ProgramEntry* entry = nullptr; // the program that was entered (tail calls change it)
  Machine* machine = nullptr;          // what the programs of one runtime share
  std::uint32_t cpu = 0;               // slot while holds_slot; meaningless otherwise
  // One aligned word to who looks whether a run is finished:
  alignas(8) bool holds_slot = false;             // `cpu` is leased, by this run or by an outer one
  bool owns_slot = false;              // … by this one, which gives it back
  bool thrown = false;                 // an exception is on its way to the program's end; see Code::call_subprog
  bool unused = false;                 // always false
  std::uint32_t tail_calls = 0;
  const Code* tail_target = nullptr;   // set by the tail call helper, taken by the tier at once
  RunContext* outer = nullptr;         // the run this one is nested in, on the same thread

  std::uint64_t attach_cookie = 0;
  std::uint64_t func_ip = 0;           // bpf_get_func_ip: address of the traced function, 0: none
  const TracedCall* traced = nullptr;  // the call that a tracing program runs for; null: it runs for none
  Client* client = nullptr;            // whom a syscall program runs for; null: nobody
  SeqOutput* seq = nullptr;            // where an iterator program's output goes; null: it is none
  rewrite::PacketRecord* packet = nullptr;  // what sk_buff pointers mean; null: the context is the packet
  std::uint64_t exception_cookie = 0;  // what was thrown, while `thrown`
  void* tail_ctx = nullptr;            // r1 of the last tail call

  void begin(const RunStart& start) noexcept {
    root = start.root;
    code = start.code;
    host = start.host;
    entry = start.entry;
    machine = start.machine;
  }
};

/// The runs of one thread. `idle` serves runs that are not inside another and whose caller says nothing about them, so that
/// entering a program need not make a context: between two runs its fields are as made, but those that RunStart names.
/// `current` and its `root` are written by one instruction, so that who interrupts a run that is just being entered (a signal
/// handler) is not taken for the recursion of a run long gone. What a run begins with is one cache line: a processor finishes two
/// stores a cycle where they are neighbours, else one.
struct alignas(64) ThreadRuns {
  RunContext* current = nullptr;  // the innermost run; null outside programs
  RunContext idle{RunContext::Static{}};
};

static_assert(offsetof(ThreadRuns, idle) + offsetof(RunContext, root) == sizeof(void*) && offsetof(ThreadRuns, idle) + offsetof(RunContext, cpu) == 48);

extern constinit thread_local ThreadRuns t_runs __attribute__((tls_model("initial-exec")));

/// Makes `run` the innermost run of the thread for a while. ProgramEntry does so by itself.
class RunScope {
 public:
  explicit RunScope(RunContext& run) noexcept : before_(t_runs.current) { t_runs.current = &run; }
  ~RunScope() { t_runs.current = before_; }
  RunScope(const RunScope&) = delete;
  RunScope& operator=(const RunScope&) = delete;

 private:
  RunContext* const before_;
};

/// The innermost run of the calling thread; null outside programs.
RunContext* current_run() noexcept;

}  // namespace ring3::exec
