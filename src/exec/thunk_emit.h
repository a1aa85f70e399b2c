// Machine code of one thunk. Private to exec/.
#pragma once

#include <cstddef>
#include <vector>

#include "exec/thunk.h"
#include "ring3/result.h"

namespace ring3::exec {

/// Position-independent code. Errors: kNotSupp no thunks on this machine; kNoMem.
Result<std::vector<std::byte>> emit_thunk(const ThunkShape& shape, ThunkTarget target, void* data);

}  // namespace ring3::exec
