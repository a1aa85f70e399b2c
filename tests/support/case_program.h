// A case's keys and asm as what the library takes: slots, program type, maps, rights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isa/assemble.h"
#include "isa/insn.h"
#include "model/facts.h"
#include "tests/support/case_file.h"

namespace ring3::test {

struct CaseProgram {
  bool verified = false;               // prog-type given and not "none"
  std::uint32_t prog_type = 0;
  std::uint32_t attach_type = 0;
  std::uint32_t flags = 0;
  std::uint32_t log_level = 1;
  bool gpl_compatible = true;
  model::Rights rights = model::Rights::all();
  std::vector<model::MapFacts> maps;   // a map's descriptor in the instructions is its index here
  std::vector<isa::RawInsn> slots;
};

/// False: error says what key or line of asm is wrong.
bool make_case_program(const Case& c, CaseProgram& out, std::string& error);

}  // namespace ring3::test
