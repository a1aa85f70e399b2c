// The kernel's functions as the conformance host's: host_kfuncs.def.
#pragma once

#include "model/facts.h"

namespace ring3::conformance {

/// Adds those that the host's BTF knows.
void add_host_kfuncs(model::Facts& facts);

}  // namespace ring3::conformance
