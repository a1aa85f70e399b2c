// The older verifier suite: programs as arrays of instructions, with what is expected of them beside each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "batch.h"
#include "runner.h"

namespace ring3::conformance {

/// plugin: built from arrays/array_table.c. One batch a file of the suite; empty with a reason when there is none.
std::vector<std::unique_ptr<Batch>> array_batches(const std::string& plugin, const Backend& backend, std::string& problem);

}  // namespace ring3::conformance
