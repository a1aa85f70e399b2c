// The struct_ops types of a 6.12 kernel that the selftests implement members of.
#pragma once

#include <string_view>

#include "ring3/runtime.h"

namespace ring3::conformance {

/// Registers those the runtime's BTF has. What they do with instances is the kernel's: test types only load.
void add_host_ops(Runtime& runtime);

/// The module's function that calls members of its type, or null.
void* host_ops_kfunc(std::string_view name);

}  // namespace ring3::conformance
