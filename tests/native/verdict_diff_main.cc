// ring3-verdict-diff [--seed S] [--count N] [--strict]: the same comparison for as long as one likes.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "isa/assemble.h"
#include "verdict_diff.h"

using ring3::native::Difference;

int main(int argc, char** argv) {
  CLI::App app("Random programs through this machine's kernel and ring3: verdicts and results compared");
  std::uint64_t seed = 1, count = 10000, shown = 10;
  bool strict = false;
  app.add_option("--seed", seed, "first seed");
  app.add_option("--count", count, "programs");
  app.add_option("--show", shown, "differences printed at most");
  app.add_flag("--strict", strict, "also print what only ring3 refuses");
  CLI11_PARSE(app, argc, argv);
  ring3::native::VerdictDiff diff;
  if (!diff.problem().empty()) {
    std::printf("skipped: %s\n", diff.problem().c_str());
    return 0;
  }
  std::uint64_t numbers[4] = {}, accepted = 0, printed = 0;
  constexpr const char* kNames[] = {"", "ONLY RING3 ACCEPTS", "only ring3 refuses", "DIFFERENT RESULT"};
  for (std::uint64_t i = 0; i < count; ++i) {
    const ring3::native::RandomProgram program = ring3::native::random_program(seed + i);
    ring3::native::Comparison c = diff.compare(program);
    if (c.difference == Difference::kOnlyWeAccept && ring3::native::beyond_linux(seed + i)) c.difference = Difference::kNone;
    ++numbers[static_cast<int>(c.difference)];
    accepted += c.accepted;
    if (c.difference == Difference::kNone || (c.difference == Difference::kOnlyWeRefuse && !strict)) continue;
    if (++printed > shown) continue;
    const ring3::native::RandomProgram small = diff.minimise(program, c.difference);
    const ring3::native::Comparison again = diff.compare(small);
    std::printf("== seed %llu: %s\n%s\n-- ring3\n%s\n-- kernel\n%s\n", static_cast<unsigned long long>(seed + i),
                kNames[static_cast<int>(c.difference)], ring3::isa::assembly_text(small.insns).c_str(), again.ours.c_str(),
                again.theirs.c_str());
  }
  std::printf("%llu programs: %llu accepted by both, %llu by ring3 only, %llu by the kernel only, %llu with other results\n",
              static_cast<unsigned long long>(count), static_cast<unsigned long long>(accepted),
              static_cast<unsigned long long>(numbers[1]), static_cast<unsigned long long>(numbers[2]),
              static_cast<unsigned long long>(numbers[3]));
  return numbers[1] + numbers[3] == 0 ? 0 : 1;
}
