// The report for people: what was refused, where, what was known, and how it came to be.
#pragma once

#include <string>

#include "verifier/diag/diag.h"
#include "verifier/program.h"
#include "verifier/state/path_state.h"

namespace ring3::verifier {

/// path: the refused path, or null when the program was refused before any was walked.
Rejection make_rejection(const Diag& diag, const Program& prog, const PathState* path);

}  // namespace ring3::verifier
