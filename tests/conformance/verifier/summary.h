// The closing lines of a run: the rows that docs/verifier.md and the issue speak of.
#pragma once

#include <vector>

#include "batch.h"

namespace ring3::conformance {

/// Prints what the failures differ by, a row for each corpus and mode, and `verifier: N passed, N failed, N skipped`.
/// Returns how many passed.
int print_summary(const std::vector<Record>& records);

/// Whether the case got the verdict it should, whatever else differs.
bool has_right_verdict(const Verdict& verdict);

}  // namespace ring3::conformance
