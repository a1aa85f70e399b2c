// The machine code of a program as OBJ_GET_INFO tells it: a copy, as a tier may be replaced meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "prog/program.h"

namespace ring3::prog {

struct MachineCode {
  std::vector<std::byte> bytes;               // the functions one after the other
  std::vector<std::uint64_t> symbols;         // address of each function
  std::vector<std::uint32_t> lengths;         // bytes of each, padding included
  std::vector<std::uint64_t> line_addresses;  // parallel to the line records
};

/// Everything empty while the program is interpreted.
MachineCode machine_code(const Program& program);

}  // namespace ring3::prog
