// What a host's header declares, as clang's own AST dump says: names only. Types and layouts come from
// the BTF the compiler makes of them; this list decides what has to be mentioned to be in there, and
// gives the names of parameters, which a BTF record of a declaration does not keep.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ring3::btf_embed {

struct Function {
  std::string name;
  std::vector<std::string> params;  // "" for a nameless one
};

struct Declarations {
  std::vector<std::string> structs, unions, enums, typedefs;  // with a name, defined
  std::vector<std::string> host_structs;                      // those of structs the header itself defines
  std::vector<std::string> variables;                         // in a section
  std::vector<Function> functions;                            // declared in the header's folder, or tagged
  std::vector<std::vector<std::pair<std::string, std::int64_t>>> nameless_enums;  // of the header itself
};

/// ast_path: output of `clang -Xclang -ast-dump=json`; header_path: absolute.
/// False and a message on stderr when it cannot be read.
bool read_declarations(const std::string& ast_path, const std::string& header_path, Declarations& out);

}  // namespace ring3::btf_embed
