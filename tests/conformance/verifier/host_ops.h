// The struct_ops types of a 6.12 kernel that the selftests implement members of.
#pragma once

#include "ring3/runtime.h"

namespace ring3::conformance {

/// Registers those the runtime's BTF has. What they do with instances is the kernel's: test types only load.
void add_host_ops(Runtime& runtime);

}  // namespace ring3::conformance
