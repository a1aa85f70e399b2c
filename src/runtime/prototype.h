// A C++ function against the BTF that says what it is: the check behind Runtime::kfunc().
#pragma once

#include <string>

#include "btf/btf.h"
#include "ring3/kfunc.h"

namespace ring3 {

/// Empty when the prototypes agree; else the first difference, e.g. "argument 2 is int in C++ and unsigned int in the BTF".
/// Integers agree in size and sign, enums in size, pointers in what they point to (structs by name), modifiers ignored.
std::string prototype_difference(const KfuncDef& def, const btf::Btf& btf, btf::TypeId proto);

/// "int cache_list_push(struct cache *, unsigned int)" as C++ and as the BTF see it.
std::string cpp_prototype(const KfuncDef& def);
std::string btf_prototype(std::string_view name, const btf::Btf& btf, btf::TypeId proto);

}  // namespace ring3
