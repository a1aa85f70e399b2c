// Machine code of one thunk. Private to exec/.
#pragma once

#include <cstddef>
#include <vector>

#include "exec/thunk.h"
#include "ring3/result.h"

namespace ring3::exec {

/// What a thunk does by itself when it finds the thread in a read section, nobody measuring, and a leaf to call: it
/// counts the run and calls the leaf. Otherwise it calls its target.
struct LeafWay {
  const void* leaf = nullptr;         // null: there is no such way. Else where the leaf's address stands, null for none
  const void* measuring = nullptr;    // a 32-bit word: zero while nobody does
  const void* runs = nullptr;         // RunStats::own_runs()
};

/// Position-independent code, if its data stays where it is. Errors: kNotSupp no thunks on this machine; kNoMem.
Result<std::vector<std::byte>> emit_thunk(const ThunkShape& shape, ThunkTarget target, void* data,
                                          const LeafWay& way = {});

}  // namespace ring3::exec
