// One program given to this machine's kernel and to a Runtime: do they agree on the verdict, and on what it computes,
// compiled and interpreted?
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

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
  std::string ours, theirs;  // logs, or results
};

class VerdictDiff {
 public:
  VerdictDiff();
  ~VerdictDiff();
  VerdictDiff(const VerdictDiff&) = delete;
  VerdictDiff& operator=(const VerdictDiff&) = delete;

  /// Empty, or why there is no kernel to compare with: then compare() sees only whether the compiled and the interpreted
  /// program do the same.
  const std::string& problem() const { return problem_; }
  Comparison compare(const RandomProgram& program);
  /// Without the instructions that do not matter.
  RandomProgram minimise(RandomProgram program, Difference keep);

 private:
  using Bpf = std::function<long(int cmd, void* attr, std::uint32_t size)>;
  struct Side {
    Bpf bpf;
    long map = -1, hash = -1;
    std::string log;
  };
  struct Run {
    long error = 0;
    std::uint32_t retval = 0;
    std::uint8_t value[kMapValueBytes] = {};
    std::uint64_t hash[2 * kHashEntries] = {};  // for each key whether it is there, and its value

    bool operator==(const Run&) const = default;
  };

  /// Nothing it stores or returns depends on an address: a program without CAP_PERFMON must not leak one.
  bool may_run_without_leaks(const RandomProgram& program);
  static void create_maps(Side& side);
  static long fill_hash(Side& side);
  static void read_hash(Side& side, Run& into);
  static long load(Side& side, RandomProgram program, bool with_log);
  static Run run(Side& side, long prog);

  Comparison compare_runs(const RandomProgram& program, long ours, long theirs);

  std::unique_ptr<Runtime> runtime_, interpreting_;
  model::Rights rights_ = model::Rights::all();
  Side ours_, interpreted_, theirs_;
  std::string problem_;
};

}  // namespace ring3::native
