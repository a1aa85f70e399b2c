// The kernel's functions, and those of the selftests' module (host_kfuncs.def), as the conformance host's.
#pragma once

#include "model/facts.h"

namespace ring3::conformance {

/// Adds those that the host's BTF knows, the types programs may store, and what the kernel says of pointers in its structs.
void add_host_kfuncs(model::Facts& facts);

}  // namespace ring3::conformance
