// The functions of one loaded program, as places where other programs are entered: in a function's stead, or around it.
//
// A program that nobody redirects has no trace of this in its code. When something comes to a function, the program is compiled
// again with a detour (exec/detour.h) at that function's entry, and the new code takes the old one's place; when the last goes, it is
// compiled once more without, if there is memory. Runs that are inside finish in the code they are in.
//
// Program arrays are counted here as well: a program that is in one is entered past the detour of main, so that none of its functions
// is replaced while it is in an array, and it enters none while one is (behaviour.md D.2.6). One lock decides who was first.
//
// Threads: any. Lifetime: the program's. Who enters a program here keeps it, and this one, until it has left.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "btf/btf.h"
#include "exec/detour.h"
#include "exec/engine.h"
#include "exec/program_entry.h"
#include "model/program_facts.h"
#include "ring3/result.h"

namespace ring3::prog {

/// Programs that trace one function at once (Linux's number for x86).
inline constexpr std::size_t kMostTracers = 38;

class FunctionHooks {
 public:
  /// entry: the program's. engine made its code, and outlives it. facts: of the program as verified.
  FunctionHooks(exec::ProgramEntry& entry, exec::Engine& engine, std::shared_ptr<const rewrite::XlatedProgram> program,
                std::shared_ptr<const model::ProgramFacts> facts);

  /// function: FUNC record of the program's BTF. Errors: kBusy the function is replaced or traced, or the program is in a program array;
  /// kInval no such function; kNoMem.
  Result<void> replace(btf::TypeId function, const exec::ProgramEntry& program);
  /// cookie: what bpf_get_attach_cookie tells. Errors: kBusy the function is replaced, or this program traces it at this point already;
  /// kTooBig kMostTracers do; kInval no such function; kNoMem.
  Result<void> trace(btf::TypeId function, exec::TracePoint point, const exec::ProgramEntry& program, std::uint64_t cookie);
  /// Undoes either. Needs no memory.
  void leave(btf::TypeId function, const exec::ProgramEntry& program) noexcept;

  /// Errors: kBusy a function of it is replaced.
  Result<void> enter_array();
  void leave_array() noexcept;

 private:
  struct Place {
    std::unique_ptr<exec::Detour> detour;  // made when first needed; stays
    bool compiled = false;                 // the current code has it
  };

  Result<Place*> place_of(btf::TypeId function) RING3_REQUIRES(mutex_);
  /// After something was put into the detour: has code that goes there. Errors: kNoMem, and nothing has changed.
  Result<void> reach(Place& place) RING3_REQUIRES(mutex_);
  Result<void> recompile() RING3_REQUIRES(mutex_);

  exec::ProgramEntry& entry_;
  exec::Engine& engine_;
  const std::shared_ptr<const rewrite::XlatedProgram> program_;
  const std::shared_ptr<const model::ProgramFacts> facts_;
  Mutex mutex_;
  std::vector<Place> places_ RING3_GUARDED_BY(mutex_);  // per function; empty until the first is hooked
  std::uint32_t replaced_ RING3_GUARDED_BY(mutex_) = 0;
  std::uint32_t array_slots_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::prog
