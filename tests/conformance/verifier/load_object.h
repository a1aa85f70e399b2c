// Objects as libbpf opens them, and what is left out of them when they are loaded.
#pragma once

#include <bpf/libbpf.h>

#include <memory>
#include <string>

#include "batch.h"

namespace ring3::conformance {

struct ObjectDeleter {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};
using ObjectPtr = std::unique_ptr<bpf_object, ObjectDeleter>;

/// The file's name without folder and .bpf.o.
std::string file_stem(const std::string& path);

/// Whether the kernel that is asked makes maps of this type. Those it does not make are left out: programs that do not use them
/// can still be judged.
bool is_made_here(bpf_map_type type);

/// Runs a loaded program once, as the runners of the selftests do.
Verdict check_retval(const bpf_program* program, std::int64_t expected);

}  // namespace ring3::conformance
