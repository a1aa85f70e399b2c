#include "corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/try.h"
#include "host_names.h"
#include "isa/assemble.h"

namespace ring3::native {

std::string corpus_text(const RandomProgram& program) { return isa::assembly_text(program.insns); }

Result<RandomProgram> corpus_program(std::string_view text) {
  constexpr std::uint8_t kWide = 0x18;
  RandomProgram program;
  program.insns = RING3_TRY(isa::assemble(text));
  const auto is_one_of = [](std::int32_t number, std::uint32_t end) { return number >= 1 && number < static_cast<std::int32_t>(end); };
  for (const isa::RawInsn& insn : program.insns) {
    if (insn.code == kWide && insn.src == kNamesMap && !is_one_of(insn.imm, kMapNumbersEnd)) return Errno::kInval;
    if (insn.code == kWide && insn.src == kNamesType && !is_one_of(insn.imm, kTypeNumbersEnd)) return Errno::kInval;
    if (insn.code == 0x85 && insn.src == kNamesKfunc && !is_one_of(insn.imm, kKfuncNumbersEnd)) return Errno::kInval;
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
