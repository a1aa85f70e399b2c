// One case: one program of one object, loaded the way its expectations say, judged by them.
#pragma once

#include <string>
#include <vector>

#include "expectations.h"
#include "kernel.h"

namespace ring3::conformance {

enum class Outcome : std::uint8_t { kPassed, kFailed, kSkipped };

struct Case {
  std::string object;   // file name without .bpf.o
  std::string program;
  bool unprivileged = false;
  Expectations expected;

  std::string name() const { return object + "/" + program + (unprivileged ? " unprivileged" : ""); }
};

struct Verdict {
  Outcome outcome = Outcome::kPassed;
  std::string kind;    // what differs: verdict, message, retval, xlated, open, …
  std::string reason;  // one line
  std::string log;     // the verifier's text
};

/// Cases of an object, in the order of its programs. problem: the file cannot be read.
std::vector<Case> list_cases(const std::string& path, std::string& problem);

/// sources: folder of the selftests, for CO-RE files that tags name.
Verdict run_case(Kernel& kernel, const std::string& path, const std::string& sources, const Case& test);

}  // namespace ring3::conformance
