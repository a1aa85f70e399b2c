// A program of the host as OBJ_GET_INFO and its BTF tell it: instructions, machine code, functions, source lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/client.h"
#include "isa/insn.h"
#include "ring3/result.h"

namespace ring3::cli {

struct SourceLine {
  std::uint32_t insn = 0;     // index of the instruction it begins with
  std::uint64_t address = 0;  // of its machine code; 0: there is none
  std::uint32_t line = 0, column = 0;
  std::string file, text;     // text: as it stands in the source, without the blanks in front
};

struct ProgramView {
  struct Function {
    std::string name;
    std::uint64_t address = 0;  // of its machine code, where there is any
    std::uint32_t bytes = 0;
  };

  std::uint32_t id = 0;
  std::string name;
  std::vector<isa::RawInsn> insns;
  std::vector<std::byte> machine_code;  // the functions one after the other; empty: the program is interpreted
  std::vector<Function> functions;
  std::vector<SourceLine> lines;        // by instruction
};

/// Errors: kNoEnt no such program; those of the commands. Without the right to see code all of it is empty.
Result<ProgramView> view_program(control::Client& client, std::uint32_t id);

/// The ids of the programs that `name` says: itself when it is a number, else all of that name. Errors: those of the
/// commands.
Result<std::vector<std::uint32_t>> find_programs(control::Client& client, std::string_view name);

}  // namespace ring3::cli
