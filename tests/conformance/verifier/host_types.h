// The types of a kernel, out of the ELF file that carries them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ring3::conformance {

/// The BTF of `elf_file` (its .BTF section); empty with a reason when there is none.
std::vector<std::byte> host_types(const std::string& elf_file, std::string& problem);

}  // namespace ring3::conformance
