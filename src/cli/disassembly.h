// Machine code as text, by libcapstone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace ring3::cli {

struct MachineInsn {
  std::uint64_t address = 0;
  std::span<const std::byte> bytes;  // of the code that was given
  std::string text;                  // AT&T's order of operands; ".byte …" where there is no instruction
};

/// All of `code`, which runs at `address`, on the machine this is compiled for. Empty: none for this machine.
std::vector<MachineInsn> disassemble_machine_code(std::span<const std::byte> code, std::uint64_t address);

}  // namespace ring3::cli
