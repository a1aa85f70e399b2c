// A function of a loaded program, while another program stands in its place or programs trace it. Compiled code that was made
// with a Detour comes here instead of into the function's body, from wherever the function is called: by the program itself,
// by helpers that call back, by timers, and, of main, by whoever runs the program. A tail call into the program goes past it.
//
// What a detour does is one immutable record, swapped by one store; who is inside goes on with what it found. No record: into
// the body, which compiled code sees by itself.
//
//   replaced   the other program's code runs in the same run, with the same arguments: it is the run's code and entry meanwhile,
//              so that its loads may fault, its callbacks and timers are its own, and tail calls are counted on
//   traced     programs before the body (each sees the arguments), the body, programs behind it (arguments and result). Each is a run
//              of its own inside this one, the last attached first
//
// A tail call that the body makes is finished before the programs behind it run. An exception that leaves the body leaves them out.
//
// Threads: entered from any thread inside a read section; changed by one at a time (prog/function_hooks.h).
// Lifetime: longer than code made with it. It refers to nothing: who puts a program in keeps it until after it took it out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "exec/run_context.h"
#include "object/rcu.h"
#include "rewrite/xlated.h"
#include "ring3/result.h"

namespace ring3::exec {

class ProgramEntry;

inline constexpr std::uint32_t kArgRegisters = 5;
using FunctionArgs = std::array<std::uint64_t, kArgRegisters>;  // r1 … r5

/// A call of a traced function, as helpers of its tracers see it (RunContext::traced).
struct TracedCall {
  const std::uint64_t* slots = nullptr;  // 8 bytes each: arguments, then the result
  std::uint32_t args = 0;
  bool has_result = false;               // the function has returned
};

/// How a function's own code is entered.
struct FunctionBody {
  std::uint64_t (*enter)(const FunctionBody& body, const FunctionArgs& args, RunContext& run);
  const void* code;           // the tier's own
  std::uint32_t subprog = 0;  // likewise
  std::uint64_t address = 0;  // of the function, for bpf_get_func_ip
};

enum class TracePoint : std::uint8_t { kEntry, kExit };

class Detour {
 public:
  /// args: how many of the registers the function's prototype fills, in slots of 8 bytes; at most kArgRegisters.
  explicit Detour(std::uint32_t args) : args_(args) {}
  ~Detour();
  Detour(const Detour&) = delete;
  Detour& operator=(const Detour&) = delete;

  /// The function was called. Returns its result; when run.thrown is set afterwards it has none.
  std::uint64_t enter(const FunctionArgs& args, RunContext& run, const FunctionBody& body) const;

  // Changes, one at a time.
  bool is_empty() const noexcept { return record_.load(std::memory_order_relaxed) == nullptr; }
  bool is_replaced() const noexcept;
  /// Programs that trace it.
  std::size_t tracers() const noexcept;
  bool is_traced_by(TracePoint point, const ProgramEntry& program) const noexcept;
  /// Of an empty detour. Errors: kNoMem.
  Result<void> replace(const ProgramEntry& program);
  /// Of one that replaces nothing. cookie: what bpf_get_attach_cookie tells. Errors: kNoMem.
  Result<void> trace(TracePoint point, const ProgramEntry& program, std::uint64_t cookie);
  /// What replace() or trace() put in goes; runs that are inside it finish. Needs no memory.
  void remove(const ProgramEntry& program) noexcept;

  /// Where compiled code looks whether there is a record.
  static constexpr std::size_t record_offset();

 private:
  struct Tracer;
  struct Record;
  static std::uint64_t enter_replacement(const ProgramEntry& program, const FunctionArgs& args, RunContext& run);
  void publish(Record* next) noexcept;

  std::atomic<Record*> record_{nullptr};
  const std::uint32_t args_;
};

constexpr std::size_t Detour::record_offset() { return offsetof(Detour, record_); }

}  // namespace ring3::exec
