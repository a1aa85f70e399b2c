// The programs of an object file whose sections "xdp/NAME" each hold one function without relocations.
#pragma once

#include <string>
#include <vector>

#include "isa/insn.h"

namespace ring3::bench {

struct BpfSection {
  std::string name;  // behind the slash
  std::vector<isa::RawInsn> insns;
};

/// Empty: the file is no such object.
std::vector<BpfSection> read_bpf_sections(const std::string& path);

}  // namespace ring3::bench
