// Addresses of the host's variables and functions (kinds/host_symbol.cc).
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

/// Every symbol the program names is there, before anything is walked.
Result<void> check_host_symbols(const Program& prog, Diag& diag);
/// dst points to the symbol with this id.
void load_host_symbol(Step& step, RegState& dst, btf::TypeId id);

}  // namespace ring3::verifier
