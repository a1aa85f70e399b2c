// Random programs through this machine's kernel and a Runtime. What only we accept is a hole until proved otherwise;
// what both accept must compute the same. Nothing is attached. Where bpf(2) is not allowed: skipped.
#include <gtest/gtest.h>

#include "corpus.h"
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

/// What is kept has once mattered: there every difference counts.
TEST(NativeVerdictTest, KeptProgramsHaveTheKernelsVerdictAndResult) {
  VerdictDiff diff;
  const std::vector<CorpusEntry> corpus = read_corpus(RING3_CORPUS);
  EXPECT_GE(corpus.size(), 10u);
  for (const CorpusEntry& entry : corpus) {
    const Result<RandomProgram> program = corpus_program(entry.text);
    ASSERT_TRUE(program.ok()) << entry.name;
    EXPECT_EQ(corpus_text(*program), entry.text) << entry.name;
    const Comparison c = diff.compare(*program);
    EXPECT_TRUE(c.accepted) << entry.name << "\nours: " << c.ours << "\nkernel: " << c.theirs;
    EXPECT_EQ(c.difference, Difference::kNone) << entry.name << "\nours: " << c.ours << "\nkernel: " << c.theirs;
  }
  if (!diff.problem().empty()) GTEST_SKIP() << "compiler and interpreter agree; " << diff.problem();
}

TEST(CorpusTest, RefusesWhatIsNoProgram) {
  EXPECT_FALSE(corpus_program("r0 = nonsense").ok());
  EXPECT_FALSE(corpus_program("r1 = map[fd:99]\nexit").ok());
  EXPECT_FALSE(corpus_program("call kernel-function#99\nexit").ok());
}

}  // namespace
}  // namespace ring3::native
