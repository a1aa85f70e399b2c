// One program given to this machine's kernel and to a Runtime: do they agree on the verdict, and on what it computes,
// compiled and interpreted?
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine_side.h"
#include "model/facts.h"
#include "program_generator.h"
#include "ring3/runtime.h"

namespace ring3::native {

enum class Difference {
  kNone,
  kOnlyWeAccept,   // unsound until proved otherwise
  kOnlyWeRefuse,   // too strict
  kResult,         // both accept and run it, with different answers
};

struct Comparison {
  Difference difference = Difference::kNone;
  bool accepted = false;  // by both
  bool ran = false;       // and run: no address gets out
  bool by_kernel = false; // it was asked
  std::string ours, theirs;  // logs, or results
};

class VerdictDiff {
 public:
  VerdictDiff();
  VerdictDiff(const VerdictDiff&) = delete;
  VerdictDiff& operator=(const VerdictDiff&) = delete;

  /// Empty, or why there is no kernel to compare with: then compare() sees only whether the compiled and the interpreted
  /// program do the same.
  const std::string& problem() const { return problem_; }
  Comparison compare(const RandomProgram& program);
  /// Without the instructions that do not matter.
  RandomProgram minimise(RandomProgram program, Difference keep);

 private:
  bool asks_kernel(const RandomProgram& program) const;
  /// Nothing it stores or returns depends on an address, or on what was on the stack before.
  bool keeps_addresses(const RandomProgram& program);
  Comparison compare_runs(const RandomProgram& program, long ours, long theirs);

  std::unique_ptr<Runtime> runtime_, interpreting_;
  model::Rights rights_ = model::Rights::all();
  EngineSide ours_, interpreted_, theirs_;
  std::string problem_;
};

}  // namespace ring3::native
