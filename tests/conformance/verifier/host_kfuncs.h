// The kernel's functions, and those of the selftests' module (host_kfuncs.def), as the conformance host's.
#pragma once

#include <vector>

#include "model/facts.h"
#include "ring3/kptr.h"

namespace ring3::conformance {

/// Adds those that the host's BTF knows, the types programs may store, and what the kernel says of pointers in its structs.
void add_host_kfuncs(model::Facts& facts);

/// Structs whose references programs may store, of those the BTF has.
std::vector<KptrDef> host_kptr_types(const btf::Btf& btf);

}  // namespace ring3::conformance
