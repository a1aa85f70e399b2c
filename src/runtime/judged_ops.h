// The struct_ops tables of a BTF, for runtimes that judge programs without being the host that calls them.
#pragma once

#include <string_view>

#include "btf/btf.h"
#include "ring3/struct_ops_host.h"

namespace ring3 {

/// How `ring3 verify` and its like offer the ops struct `name` of these types. What is known of Linux's own types holds for them
/// (model/kernel_struct_ops.def); of any other, every member is supported and may sleep. host: left to the caller.
StructOpsDef judged_struct_ops(const btf::Btf& types, std::string_view name);

}  // namespace ring3
