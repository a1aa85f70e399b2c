// The generated texts.
#include <algorithm>
#include <array>
#include <cstdio>

#include "complete.h"
#include "output.h"

namespace ring3::btf_embed {
namespace {

// Records clients look for beside the ABI's own: the common header of struct_ops values.
constexpr const char* kCommonRecords = R"(
typedef struct {
  int counter;
} atomic_t;
struct refcount_struct {
  atomic_t refs;
};
typedef struct refcount_struct refcount_t;
enum bpf_struct_ops_state {
  BPF_STRUCT_OPS_STATE_INIT,
  BPF_STRUCT_OPS_STATE_INUSE,
  BPF_STRUCT_OPS_STATE_TOBEFREE,
  BPF_STRUCT_OPS_STATE_READY,
};
struct bpf_struct_ops_common_value {
  refcount_t refcnt;
  enum bpf_struct_ops_state state;
};
struct bpf_struct_ops_common_value *ring3_mention_common;
)";

// What programs see of the runtime's tasks. A host whose header has a struct of that name means something of its own.
constexpr const char* kTask = R"(
struct task_struct {
  int pid;
  int tgid;
  char comm[16];
} __attribute__((btf_decl_tag("ring3:task")));
)";

void mention(std::string& out, const char* keyword, const std::vector<std::string>& names, int& n) {
  for (const std::string& name : names)
    out += std::string(keyword) + name + " *ring3_mention_" + std::to_string(n++) + ";\n";
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string uses_source(const std::string& header_path, const Declarations& decls) {
  std::string out = "/* Made by ring3-btf-embed. */\n#include <ring3/host.h>\n#include \"" + header_path + "\"\n";
  out +=
      "#ifdef __LINUX_BPF_H__\n"
      "#error \"a host's header must not include <linux/bpf.h>: ring3_add_btf() brings those records\"\n"
      "#endif\n"
      "#include \"bpf_abi.h\"\n";
  if (!contains(decls.structs, "task_struct")) out += kTask;
  out += "#include \"bpf_kfuncs.h\"\n";
  out += kCommonRecords;
  int n = 0;
  mention(out, "struct ", decls.structs, n);
  mention(out, "union ", decls.unions, n);
  mention(out, "enum ", decls.enums, n);
  mention(out, "", decls.typedefs, n);
  out += std::string("void *") + kUsesFunction + "(int n)\n{\n  switch (n) {\n";
  int at = 0;
  for (const Function& f : decls.functions)
    out += "  case " + std::to_string(at++) + ":\n    return (void *)" + f.name + ";\n";
  for (const std::string& variable : decls.variables)
    out += "  case " + std::to_string(at++) + ":\n    return (void *)&" + variable + ";\n";
  out += "  }\n  return 0;\n}\n";
  return out;
}

std::string embed_header(const std::string& name) {
  return "// Made by ring3-btf-embed.\n#pragma once\n\n#include <ring3/runtime.h>\n\nextern const ring3::BtfBlob " + name +
         "_btf;\n";
}

std::string embed_source(const std::string& name, const std::string& header_path, const btf::Btf& whole,
                         const Declarations& decls) {
  std::string out = "// Made by ring3-btf-embed.\n#include \"" + name + "_btf.h\"\n\n#include <cstddef>\n\n#include \"" +
                    header_path + "\"\n\n";
  out += "// The host's compiler and the BPF compiler must agree on every struct both sides touch.\n";
  for (btf::TypeId id = 1; id < whole.end_id(); ++id) {
    const btf::Type& t = *whole.type(id);
    if (t.kind != btf::Kind::kStruct || !contains(decls.host_structs, t.name)) continue;
    const std::string type = "struct " + std::string(t.name);
    const std::string tail = ", \"" + type + ": host and BPF layouts differ\");\n";
    out += "static_assert(sizeof(" + type + ") == " + std::to_string(t.size) + tail;
    for (const btf::Member& m : whole.members(id))
      if (!m.name.empty() && m.bitfield_bits == 0 && m.bit_off % 8 == 0)
        out += "static_assert(offsetof(" + type + ", " + std::string(m.name) + ") == " + std::to_string(m.bit_off / 8) + tail;
  }
  out += "\nnamespace {\nalignas(8) constexpr unsigned char kBytes[] = {";
  const std::span<const std::byte> blob = whole.blob();
  for (std::size_t i = 0; i < blob.size(); ++i) {
    std::array<char, 8> text;
    std::snprintf(text.data(), text.size(), "%s%u,", i % 32 == 0 ? "\n" : "", static_cast<unsigned>(blob[i]));
    out += text.data();
  }
  out += "\n};\n}  // namespace\n\nconst ring3::BtfBlob " + name + "_btf = {kBytes, sizeof kBytes};\n";
  return out;
}

}  // namespace ring3::btf_embed
