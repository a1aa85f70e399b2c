#include "summary.h"

#include <cstdio>
#include <map>
#include <string>
#include <string_view>

namespace ring3::conformance {

namespace {

struct Row {
  int passed = 0, failed = 0, skipped = 0;

  void add(Outcome outcome) {
    switch (outcome) {
      case Outcome::kPassed: ++passed; break;
      case Outcome::kFailed: ++failed; break;
      case Outcome::kSkipped: ++skipped; break;
    }
  }
  /// As they are counted: a case for another machine is not among those that could pass.
  double percent() const { return passed + failed == 0 ? 0 : 100.0 * passed / (passed + failed); }
};

void print_row(const char* name, const Row& row, const char* must) {
  if (row.passed + row.failed + row.skipped == 0) return;
  std::printf("  %-28s %5d passed, %4d failed, %4d skipped  %6.2f %%  (must reach %s)\n", name, row.passed, row.failed, row.skipped,
              row.percent(), must);
}

constexpr const char* kNotVerdict[] = {"message", "xlated", "run", "retval", "processed"};

}  // namespace

bool has_right_verdict(const Verdict& verdict) {
  if (verdict.outcome != Outcome::kFailed) return true;
  for (const std::string_view kind : kNotVerdict)
    if (verdict.kind == kind) return true;
  return false;
}

int print_summary(const std::vector<Record>& records) {
  Row annotated[2], arrays[2], verdicts, plain, targets, all;
  int wrong_accepts = 0;
  std::map<std::string, int> kinds;
  for (const Record& r : records) {
    const Outcome outcome = r.verdict.outcome;
    all.add(outcome);
    if (outcome == Outcome::kFailed) ++kinds[r.verdict.kind];
    wrong_accepts += outcome == Outcome::kFailed && r.verdict.kind == "accepts" ? 1 : 0;
    switch (r.name.corpus) {
      case Corpus::kAnnotated:
        annotated[r.name.unprivileged ? 1 : 0].add(outcome);
        verdicts.add(outcome == Outcome::kFailed && has_right_verdict(r.verdict) ? Outcome::kPassed : outcome);
        break;
      case Corpus::kArrays: arrays[r.name.unprivileged ? 1 : 0].add(outcome); break;
      case Corpus::kPlain: plain.add(outcome); break;
      case Corpus::kTargets: targets.add(outcome); break;
    }
  }
  for (const auto& [kind, count] : kinds) std::printf("  %5d differ by %s\n", count, kind.c_str());
  print_row("annotated, with rights", annotated[0], "97");
  print_row("annotated, without rights", annotated[1], "95");
  print_row("annotated, verdict alone", verdicts, "99");
  print_row("arrays, with rights", arrays[0], "97");
  print_row("arrays, without rights", arrays[1], "97");
  print_row("plain, the kernel's verdict", plain, "90");
  print_row("functions of programs", targets, "98");
  std::printf("  wrongly accepted, over all: %d (at most 5, each with a reason)\n", wrong_accepts);
  std::printf("verifier: %d passed, %d failed, %d skipped\n", all.passed, all.failed, all.skipped);
  return all.passed;
}

}  // namespace ring3::conformance
