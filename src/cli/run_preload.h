// `ring3 run --preload`: a command whose dynamically linked programs call a host through libring3_preload.so.
#pragma once

#include <string>
#include <vector>

#include "ring3/result.h"

namespace ring3::cli {

/// Blocks until the command has ended; its exit code, or 128 and the signal that ended it. socket: of the host.
/// Errors, with words in why: kNoEnt the library is not installed; those of exec.
Result<int> run_preloaded(const std::vector<std::string>& command, const std::string& socket, std::string& why);

}  // namespace ring3::cli
