// What iterator programs attach to and see, for hosts whose header does not say: the functions bpf_iter_NAME with their
// contexts, and the structs of the objects they show. Records that the header has are used as they are.
#pragma once

#include <span>

#include "btf/builder.h"

namespace ring3::btf_embed {

/// from: the BTF that was copied into `to`, ids: where each of its records went (0: nowhere).
void add_iterators(btf::Builder& to, const btf::Btf& from, std::span<const btf::TypeId> ids);

}  // namespace ring3::btf_embed
