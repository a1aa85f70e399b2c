// BTF out of a file: raw, or the .BTF section of an ELF file (a vmlinux, a module, a compiled object).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "ring3/result.h"

namespace ring3::cli {

/// Errors, with words in why: kNoEnt, kAcces, kIo the file; kInval it has no BTF.
Result<std::vector<std::byte>> read_btf_file(const std::string& path, std::string& why);

}  // namespace ring3::cli
