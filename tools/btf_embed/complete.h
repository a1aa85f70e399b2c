// From the compiler's BTF of a header to the BTF of a host (behaviour.md 0.2.1, A.1.2).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "declarations.h"

namespace ring3::btf_embed {

/// Marks: what ring3/host.h puts on ops structs, and the function that mentions everything.
inline constexpr const char* kStructOpsTag = "ring3:struct_ops";
inline constexpr const char* kVariables = ".ring3.data";  // sections: a compiler keeps no tags of what is declared only
inline constexpr const char* kPercpuVariables = ".ring3.percpu";
inline constexpr const char* kUsesFunction = "ring3_mention_all";

/// The compiler's types without its variables, sections and the mentioning function; functions as global
/// ones with the names of their parameters; a wrapper for each ops struct; the header's nameless enums.
/// error: what is wrong with the header, when the result is empty.
std::vector<std::byte> complete_btf(const btf::Btf& object, const Declarations& decls, std::string& error);

}  // namespace ring3::btf_embed
