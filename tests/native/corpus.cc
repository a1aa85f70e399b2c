#include "corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/try.h"
#include "isa/assemble.h"

namespace ring3::native {
namespace {

constexpr std::int32_t kArray = 1, kHash = 2;
constexpr std::uint8_t kWide = 0x18, kNamesMap = 1;

}  // namespace

std::string corpus_text(const RandomProgram& program) {
  std::vector<isa::RawInsn> insns = program.insns;
  for (const std::size_t at : program.map_at) insns[at].imm = kArray;
  for (const std::size_t at : program.hash_at) insns[at].imm = kHash;
  return isa::assembly_text(insns);
}

Result<RandomProgram> corpus_program(std::string_view text) {
  RandomProgram program;
  program.insns = RING3_TRY(isa::assemble(text));
  for (std::size_t i = 0; i < program.insns.size(); ++i) {
    const isa::RawInsn& insn = program.insns[i];
    if (insn.code != kWide) continue;
    if (insn.src == kNamesMap && insn.imm == kArray) program.map_at.push_back(i);
    else if (insn.src == kNamesMap && insn.imm == kHash) program.hash_at.push_back(i);
    else if (insn.src == kNamesMap) return Errno::kInval;
    ++i;  // the other half
  }
  return program;
}

std::vector<CorpusEntry> read_corpus(const std::string& folder) {
  std::vector<CorpusEntry> entries;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    std::ifstream in(file.path());
    entries.push_back({file.path().filename().string(), std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>())});
  }
  std::sort(entries.begin(), entries.end(), [](const CorpusEntry& a, const CorpusEntry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace ring3::native
