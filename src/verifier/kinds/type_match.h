// Whether a pointer of one BTF type serves where another is wanted (behaviour.md C.3.7).
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

/// At byte `off` of the struct lies the struct `want`. Types of two BTF objects are never the same, whatever their names,
/// except those of the host's own objects, which describe one world.
/// exact: it is the struct itself, not a member of it.
bool struct_holds(const Program& prog, const btf::Btf& btf, btf::TypeId type, std::int64_t off, const btf::Btf& want_btf,
                  btf::TypeId want, bool exact);

/// One of the names is the other's with ___init: a type whose life has not begun is not taken for it.
bool is_nocast_alias(std::string_view a, std::string_view b);

}  // namespace ring3::verifier
