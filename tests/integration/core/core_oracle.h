// libbpf's own CO-RE relocation as an oracle: an object is loaded against the types of a file, and what libbpf would give the kernel is
// kept. Nothing reaches a kernel or a runtime. (libbpf's headers stay in core_oracle.cc.)
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "isa/insn.h"

struct bpf_object;

namespace ring3::test {

/// A program of an object, before relocation.
struct CoreProgram {
  std::string name;
  std::vector<isa::RawInsn> insns;
  std::vector<std::byte> records;  // 16 bytes each; offsets count from the program's first instruction
};

struct CoreObject {
  std::string path;
  std::string problem;              // "" none; else why it cannot be used
  std::vector<CoreProgram> programs;  // those with records that are alone in their section
};
/// The object, or a copy in `folder` whose programs are attached to nothing that libbpf would look for in a kernel's types.
std::string without_targets(const std::string& path, const std::string& folder);
CoreObject read_core_object(const std::string& path);

/// The raw types of a file: an object, or raw types already. Empty: none.
std::vector<std::byte> types_of_file(const std::string& path);

struct Relocated {
  enum class End { kLoaded, kCoreFailed, kOtherwise } end = End::kOtherwise;
  int error = 0;                    // kCoreFailed: a negative errno
  std::vector<isa::RawInsn> insns;  // kLoaded
  std::vector<std::byte> types;     // the object's own, as they were to be loaded
  std::string text;                 // what libbpf says
};
/// types: a path, as bpf_object_open_opts.btf_custom_path.
Relocated relocate_by_libbpf(const CoreObject& object, const CoreProgram& program, const std::string& types);

}  // namespace ring3::test
