// What `ring3 verify` prints: a table, the same as JSON, and what changed since a saved run.
#pragma once

#include <string>
#include <vector>

#include "cli/verify_object.h"
#include "ring3/result.h"

namespace ring3::cli {

struct VerifyRun {
  std::string object;  // file name
  std::string types;   // where the types came from
  std::string rights;
  std::vector<ProgramRecord> programs;
};

std::string verify_table(const VerifyRun& run);
std::string verify_json(const VerifyRun& run);

/// The figures of a saved run (verify_json). Errors, with words in why: kNoEnt, kAcces, kIo, kInval it is none.
Result<VerifyRun> read_verify_run(const std::string& path, std::string& why);
/// Programs whose verdict or counts differ, with both; what came, what is gone.
std::string verify_changes(const VerifyRun& before, const VerifyRun& now);

}  // namespace ring3::cli
