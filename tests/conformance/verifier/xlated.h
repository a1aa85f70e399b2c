// The rewritten program of a loaded one, as text.
#pragma once

#include <string>

namespace ring3::conformance {

/// One "index: instruction" line each. False: the kernel does not give it.
bool xlated_text(int program_fd, std::string& text);

}  // namespace ring3::conformance
