// Helper arguments that are sockets or pointers to host structs.
#pragma once

#include "model/helper.h"
#include "verifier/verification.h"

namespace ring3::verifier {

bool is_typed_arg(model::ArgKind kind);
Result<void> check_typed_arg(Step& step, unsigned regno, const model::ArgSpec& arg);

}  // namespace ring3::verifier
