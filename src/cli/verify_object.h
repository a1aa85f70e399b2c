// Every program of an object file, one after the other, to a Judge. Each is opened anew, as veristat does it: what one
// program lacks does not keep the others from a verdict.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/judge.h"

struct bpf_program;

namespace ring3::cli {

enum class Verdict : std::uint8_t {
  kAccepted,
  kRefused,
  kNotJudged,  // the verifier was not reached: a map, a type or a target that is not there
};

/// One program and what the verifier said of it.
struct ProgramRecord {
  std::string name, section;
  Verdict verdict = Verdict::kNotJudged;
  Errno error{};                     // kRefused
  std::uint32_t insns = 0;           // in the file
  verifier::Stats stats;             // all 0: not judged
  std::optional<verifier::Rejection> rejection;
  std::string words;                 // kRefused without a rejection, kNotJudged: what was said instead
  std::string log;                   // at the level asked for
};

struct VerifyRequest {
  std::string object_path;
  std::vector<std::string> programs;  // empty: all
  std::uint32_t log_level = 0;
  bool verbose = false;               // libbpf's own words on stderr
};

struct VerifyFailure {
  ExitCode code = ExitCode::kFailed;
  std::string words;
};

/// Gives a program a type when libbpf 1.1 does not know its section's name.
void name_kind(bpf_program& program);

/// Empty: records has one row a program, in the order of the file. bpf(2) calls of libbpf go to the judge meanwhile.
std::optional<VerifyFailure> verify_object(const VerifyRequest& request, Judge& judge, std::vector<ProgramRecord>& records);

}  // namespace ring3::cli
