// Registers what engines_host.h declares.
#pragma once

#include "ring3/runtime.h"

namespace ring3::native {

Result<void> add_engines_host(Runtime& runtime);

}  // namespace ring3::native
