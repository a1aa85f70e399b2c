// Programs that replace or trace functions of other programs: each is loaded against a loaded target.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batch.h"
#include "runner.h"

namespace ring3::conformance {

/// Pairs of a table (tests/conformance/verifier.targets says what a line is). folders: where objects are looked for. Null with a
/// reason when the table cannot be read.
std::unique_ptr<Batch> target_batch(const std::string& table, std::vector<std::string> folders, const Backend& backend, std::string& problem);

}  // namespace ring3::conformance
