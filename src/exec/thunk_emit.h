// Machine code of one thunk. Private to exec/.
#pragma once

#include <cstddef>
#include <vector>

#include "exec/thunk.h"
#include "ring3/result.h"

namespace ring3::exec {

class CpuSlots;

/// What a thunk does by itself when it finds the thread in a read section, nobody measuring, and code to call: it counts the
/// run and calls the code, as exec/program_entry.cc would. Otherwise it calls its target.
struct ProgramWay {
  enum class Kind : std::uint8_t {
    kNone,  // there is no such way
    kLeaf,  // the code needs no run
    kRun,   // the run is the one the thread keeps ready
  } kind = Kind::kNone;
  const void* code = nullptr;         // where the address stands of the leaf, or of a ReadyCode; null there: no code
  const void* measuring = nullptr;    // a 32-bit word: zero while nobody does
  const void* runs = nullptr;         // RunStats::own_runs(); in the same object as `code`
  CpuSlots* slots = nullptr;          // kRun: a slot is leased there; null: none
};

/// Position-independent code, if its data stays where it is. Errors: kNotSupp no thunks on this machine; kNoMem.
Result<std::vector<std::byte>> emit_thunk(const ThunkShape& shape, ThunkTarget target, void* data,
                                          const ProgramWay& way = {});

}  // namespace ring3::exec
