// ring3-verdict-diff [--seed S] [--count N] [--seconds T] [--strict] [--keep DIR]: the same comparison for as long as one likes. --keep
// writes what differs, made small, and every program that both accept and that is the first to use something, as files for
// tests/corpus/engines.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include <fstream>
#include <set>

#include "corpus.h"
#include "isa/assemble.h"
#include "verdict_diff.h"

using ring3::native::Difference;

namespace {

/// What tells operations of one opcode apart: helpers, maps, kinds of atomic and of division.
int detail(const ring3::isa::RawInsn& insn) {
  switch (insn.code) {
    case 0x85: return insn.src << 16 | (insn.src != 1 ? insn.imm : 0);
    case 0x18: return insn.src << 16 | (insn.src == ring3::native::kNamesMap || insn.src == ring3::native::kNamesType ? insn.imm : 0);
    case 0xdb: case 0xc3: case 0xdc: case 0xd4: case 0xd7: return insn.imm;
    case 0x37: case 0x3f: case 0x34: case 0x3c: case 0x97: case 0x9f: case 0x94: case 0x9c: case 0xbf: case 0xbc: return insn.off;
    default: return 0;
  }
}

/// Whether the program has an operation that none before had.
bool is_new(const ring3::native::RandomProgram& program, std::set<int>& seen) {
  bool found = false;
  for (const ring3::isa::RawInsn& insn : program.insns)
    found |= seen.insert(insn.code | detail(insn) << 8).second;
  return found;
}

void keep(const std::string& folder, std::uint64_t seed, const ring3::native::RandomProgram& program) {
  std::ofstream(folder + "/seed_" + std::to_string(seed) + ".txt") << ring3::native::corpus_text(program);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Random programs through this machine's kernel and ring3: verdicts and results compared");
  std::uint64_t seed = 1, count = 10000, shown = 10, seconds = 0;
  bool strict = false;
  std::string folder;
  std::set<int> seen;
  app.add_option("--seed", seed, "first seed");
  app.add_option("--count", count, "programs");
  app.add_option("--seconds", seconds, "stop after so long; 0: when all are done");
  app.add_option("--show", shown, "differences printed at most");
  app.add_flag("--strict", strict, "also print what only ring3 refuses");
  app.add_option("--keep", folder, "an existing folder for programs worth keeping");
  CLI11_PARSE(app, argc, argv);
  ring3::native::VerdictDiff diff;
  if (!diff.problem().empty()) std::printf("compiler and interpreter only: %s\n", diff.problem().c_str());
  std::uint64_t numbers[4] = {}, accepted = 0, ran = 0, by_kernel = 0, printed = 0;
  constexpr const char* kNames[] = {"", "ONLY RING3 ACCEPTS", "only ring3 refuses", "DIFFERENT RESULT"};
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t done = 0;
  for (std::uint64_t i = 0; i < count; ++i, ++done) {
    if (seconds != 0 && std::chrono::steady_clock::now() - start > std::chrono::seconds(seconds)) break;
    const ring3::native::RandomProgram program = ring3::native::random_program(seed + i);
    ring3::native::Comparison c = diff.compare(program);
    if (c.difference == Difference::kOnlyWeAccept && ring3::native::beyond_linux(seed + i)) c.difference = Difference::kNone;
    ++numbers[static_cast<int>(c.difference)];
    accepted += c.accepted, ran += c.ran, by_kernel += c.by_kernel;
    if (!folder.empty() && c.accepted && c.difference == Difference::kNone && is_new(program, seen)) keep(folder, seed + i, program);
    if (c.difference == Difference::kNone || (c.difference == Difference::kOnlyWeRefuse && !strict)) continue;
    if (++printed > shown) continue;
    const ring3::native::RandomProgram small = diff.minimise(program, c.difference);
    const ring3::native::Comparison again = diff.compare(small);
    if (!folder.empty()) keep(folder, seed + i, small);
    std::printf("== seed %llu: %s\n%s\n-- ring3\n%s\n-- kernel\n%s\n", static_cast<unsigned long long>(seed + i),
                kNames[static_cast<int>(c.difference)], ring3::isa::assembly_text(small.insns).c_str(), again.ours.c_str(),
                again.theirs.c_str());
  }
  std::printf("%llu programs: %llu accepted by both (%llu run, %llu by the kernel too), %llu by ring3 only, %llu by the kernel only, %llu with other results\n",
              static_cast<unsigned long long>(done), static_cast<unsigned long long>(accepted), static_cast<unsigned long long>(ran), static_cast<unsigned long long>(by_kernel),
              static_cast<unsigned long long>(numbers[1]), static_cast<unsigned long long>(numbers[2]),
              static_cast<unsigned long long>(numbers[3]));
  return numbers[1] + numbers[3] == 0 ? 0 : 1;
}
