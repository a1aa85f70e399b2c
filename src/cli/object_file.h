// Makes a BPF object written for a newer libbpf readable for libbpf 1.1.
//
// libbpf 1.1 knows struct_ops variables in one section, `.struct_ops`, and programs in `struct_ops/…`.
// Newer objects also say
//     .struct_ops.link   the map is to be attached by a link
//     ?.struct_ops…      the map is not created unless asked for
//     struct_ops.s/…     the program may sleep
// prepare_object() renames those in place (an ELF string or a BTF string only ever gets shorter or keeps
// its length, so nothing moves) and reports what the old name said, for the loader to set by the API.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ring3/result.h"

struct bpf_object;

namespace ring3::cli {

struct ObjectNotes {
  bool has_struct_ops = false;
  bool struct_ops_link = false;        // maps of the struct_ops section are for links
  bool struct_ops_autocreate = true;
  std::vector<std::string> sleepable;  // program sections (as renamed) that were struct_ops.s/…
};

/// Rewrites `object` (a whole ELF file) in place. Empty: done; else what is wrong with the file, one line.
/// An object with both flavours of struct_ops section is refused: libbpf 1.1 reads only one section.
std::string prepare_object(std::vector<std::byte>& object, ObjectNotes& notes);

/// Of a prepared object: libbpf finds no struct_ops variables in it. For its other programs on their own: libbpf 1.1 reads the
/// kernel's types for the variables only when one of their programs is loaded too, and goes on without them otherwise.
void hide_struct_ops(std::vector<std::byte>& object);

/// A whole file. Errors, with words in why: kNoEnt, kAcces, kIo.
Result<std::vector<std::byte>> read_object_file(const std::string& path, std::string& why);

/// Asks libbpf for each sleepable program what its section's name asked for before it was shortened.
void mark_sleepable(bpf_object* object, const ObjectNotes& notes);

}  // namespace ring3::cli
