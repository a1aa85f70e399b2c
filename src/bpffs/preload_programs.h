// The preloaded programs' text, laid out by the types of the host that is to run them: what CO-RE does for a program that
// clang has compiled, without a compiler in the build.
#pragma once

#include <optional>
#include <string>

#include "btf/btf.h"

namespace ring3::bpffs {

struct PreloadedIterator {
  const char* pin;       // its name in the root
  const char* program;   // as listings show it
  const char* function;  // what it walks, by the host's types
  /// For isa::assemble(). None: the types do not say where things are.
  std::optional<std::string> (*text)(const btf::Btf& host_btf);
};

/// `  id name             max_entries  cur_entries`, and a line a map; without the last where the host's types have no bpf_map_sum_elem_count().
std::optional<std::string> maps_program(const btf::Btf& host_btf);
/// `  id name             attached`, and a line a program.
std::optional<std::string> programs_program(const btf::Btf& host_btf);

inline constexpr PreloadedIterator kPreloadedIterators[] = {
    {"maps.debug", "dump_bpf_map", "bpf_iter_bpf_map", &maps_program},
    {"progs.debug", "dump_bpf_prog", "bpf_iter_bpf_prog", &programs_program},
};

}  // namespace ring3::bpffs
