// Random programs through this machine's kernel and a Runtime. What only we accept is a hole until proved otherwise;
// what both accept must compute the same. Nothing is attached. Where bpf(2) is not allowed: skipped.
#include <gtest/gtest.h>

#include "isa/assemble.h"
#include "verdict_diff.h"

namespace ring3::native {
namespace {

TEST(NativeVerdictTest, RandomProgramsHaveTheKernelsVerdictAndResult) {
  VerdictDiff diff;
  if (!diff.problem().empty()) GTEST_SKIP() << diff.problem();
  constexpr std::uint64_t kPrograms = 1000;  // ring3-verdict-diff takes more
  std::uint64_t accepted = 0, strict = 0;
  for (std::uint64_t seed = 1; seed <= kPrograms; ++seed) {
    const RandomProgram program = random_program(seed);
    const Comparison c = diff.compare(program);
    accepted += c.accepted;
    strict += c.difference == Difference::kOnlyWeRefuse;
    if (c.difference == Difference::kNone || c.difference == Difference::kOnlyWeRefuse) continue;
    if (c.difference == Difference::kOnlyWeAccept && beyond_linux(seed)) continue;
    const RandomProgram small = diff.minimise(program, c.difference);
    const Comparison again = diff.compare(small);
    ADD_FAILURE() << "seed " << seed << "\n" << isa::assembly_text(small.insns) << "\nours: " << again.ours
                  << "\nkernel: " << again.theirs;
  }
  RecordProperty("accepted", static_cast<int>(accepted));
  EXPECT_GT(accepted, kPrograms / 10) << "the generator makes too little that is right";
  // Kernels after 6.12 see a little more.
  EXPECT_LT(strict, kPrograms / 100) << "refused by us only";
}

}  // namespace
}  // namespace ring3::native
