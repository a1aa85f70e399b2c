// Cases that are judged together in a child process, so that a crash or an endless walk costs one case: the parent notes it and
// goes on behind it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ring3::conformance {

enum class Outcome : std::uint8_t { kPassed, kFailed, kSkipped };

struct Verdict {
  Outcome outcome = Outcome::kPassed;
  std::string kind;    // what differs: accepts, refuses, message, retval, xlated, open, …
  std::string reason;  // one line
  std::string log;     // the verifier's text
};

Verdict failed(std::string kind, std::string reason);
Verdict skipped(std::string kind, std::string reason);

/// Where expectations come from.
enum class Corpus : std::uint8_t {
  kAnnotated,  // from the objects
  kArrays,     // from the arrays of the older suite
  kPlain,      // from the tables of runners, or from this machine's kernel
  kTargets,    // from a 6.12 kernel: programs that replace or trace functions of others
};

struct CaseName {
  Corpus corpus = Corpus::kAnnotated;
  std::string object;   // file name without .bpf.o; array file
  std::string program;  // function; description
  bool unprivileged = false;

  std::string text() const { return object + "/" + program + (unprivileged ? " unprivileged" : ""); }
};

struct Record {
  CaseName name;
  Verdict verdict;
};

class Batch {
 public:
  virtual ~Batch() = default;
  virtual std::size_t size() const = 0;
  virtual CaseName name(std::size_t index) const = 0;
  /// In the child, before the first case.
  virtual void start() = 0;
  virtual Verdict judge(std::size_t index) = 0;
};

/// Judges the cases whose name contains `filter`, each in at most `seconds`.
void judge_apart(Batch& batch, const std::string& filter, unsigned seconds, std::vector<Record>& records);

}  // namespace ring3::conformance
