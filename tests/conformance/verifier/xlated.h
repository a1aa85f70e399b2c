// The rewritten program of a loaded one.
#pragma once

#include <string>
#include <vector>

#include "isa/insn.h"

namespace ring3::conformance {

/// False: the kernel does not give it.
bool xlated_insns(int program_fd, std::vector<isa::RawInsn>& insns);

/// As text, one "index: instruction" line each. False: the kernel does not give it.
bool xlated_text(int program_fd, std::string& text);

}  // namespace ring3::conformance
