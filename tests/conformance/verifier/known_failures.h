// tests/conformance/verifier.xfail: the cases that are known to fail, a reason each. A run fails on a failure that is
// not in the list, and on a pass that is.
//
//   # comment
//   object/program: reason
//   object/program unprivileged: reason
#pragma once

#include <map>
#include <set>
#include <string>

namespace ring3::conformance {

class KnownFailures {
 public:
  /// False: problem says which line is none.
  bool read(const std::string& file, std::string& problem);

  /// One case that was judged. Skipped cases say nothing. reason: what differs, "" for a pass.
  void judged(const std::string& name, const std::string& reason);

  const std::map<std::string, std::string>& reasons() const { return reasons_; }

  /// Prints what is new, both ways. True: nothing is.
  bool report() const;

  /// The list as it would have to be: reasons that stand stay, what is new gets what differs as its reason. Lines of
  /// cases that were not judged stay too.
  std::string corrected() const;

 private:
  std::map<std::string, std::string> reasons_;  // by name of case
  std::map<std::string, std::string> new_failures_;
  std::set<std::string> new_passes_;
};

}  // namespace ring3::conformance
