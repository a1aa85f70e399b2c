// Helper arguments that are sockets or pointers to host structs.
#pragma once

#include "model/helper.h"
#include "verifier/verification.h"

namespace ring3::verifier {

bool is_typed_arg(model::ArgKind kind);
Result<void> check_typed_arg(Step& step, unsigned regno, const model::ArgSpec& arg);

/// The register points to a struct `wanted`, or to where one lies inside its own (exact: never inside).
bool is_struct_at(const Program& prog, const RegState& reg, const btf::Btf& btf, btf::TypeId wanted, bool exact);

}  // namespace ring3::verifier
