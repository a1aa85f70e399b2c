// One case through everything it names: assembled, disassembled and assembled again, checked, verified,
// rewritten, run on every engine.
#pragma once

#include <string>
#include <vector>

#include "tests/support/case_file.h"

namespace ring3::test {

struct CaseReport {
  std::vector<std::string> failures;   // one expectation that did not hold each
  std::vector<std::string> not_checked;  // what this build cannot check, and why
  std::vector<CaseEdit> edits;         // what would make the failures go away (bless)
};

CaseReport check_case(const Case& c);

/// check_case with xfail applied: an expected failure is none, a surprise pass is one.
CaseReport check_with_xfail(const Case& c);

}  // namespace ring3::test
