// Programs worth keeping as text: those that once showed a difference, and a few that together use all the generator makes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "program_generator.h"
#include "ring3/result.h"

namespace ring3::native {

/// One instruction a line; map[fd:N] is map number N, kernel-function#N and btf[id:N] a function and a type of host_names.h.
std::string corpus_text(const RandomProgram& program);
/// Errors: kInval the text is no program.
Result<RandomProgram> corpus_program(std::string_view text);

struct CorpusEntry {
  std::string name, text;
};
/// The files of a folder, sorted by name; empty when there is none.
std::vector<CorpusEntry> read_corpus(const std::string& folder);

}  // namespace ring3::native
