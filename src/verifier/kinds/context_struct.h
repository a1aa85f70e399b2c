// What the context of a type of program is called in BTF, and what a kernel keeps behind it.
#pragma once

#include <string_view>

#include "verifier/program.h"

namespace ring3::verifier {

/// Does a pointer to this type mean the context called `wanted`? By the name of a struct or, for kprobes, of a typedef, which the
/// host's types resolve. wanted "": never.
bool is_context_struct(const Program& prog, const btf::Btf& btf, btf::TypeId pointee, std::string_view wanted);

/// The host's type of what stands behind a context of this kind; 0: none.
btf::TypeId behind_context(const Program& prog, const model::ProgKindRow& kind);

}  // namespace ring3::verifier
