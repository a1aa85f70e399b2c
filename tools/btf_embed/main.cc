// ring3-btf-embed: the host tool behind ring3_add_btf() (cmake/Ring3Btf.cmake, docs/btf.md).
//
//   ring3-btf-embed uses  --header H --ast J --out C
//       writes the C file whose compilation describes everything H declares
//   ring3-btf-embed embed --name N --header H --ast J --object O --dir D
//       completes the BTF of that object and writes D/N.btf, D/N_btf.cc and D/N_btf.h
#include <cstdio>
#include <map>
#include <string>

#include "btf/btf.h"
#include "complete.h"
#include "declarations.h"
#include "output.h"

namespace ring3::btf_embed {
namespace {

using Options = std::map<std::string, std::string>;

int fail(const std::string& text) {
  std::fprintf(stderr, "ring3-btf-embed: %s\n", text.c_str());
  return 1;
}

int run_uses(const Options& o) {
  Declarations decls;
  if (!read_declarations(o.at("--ast"), o.at("--header"), decls)) return 1;
  return write_if_changed(o.at("--out"), uses_source(o.at("--header"), decls)) ? 0 : 1;
}

int run_embed(const Options& o) {
  const std::string& header = o.at("--header");
  Declarations decls;
  if (!read_declarations(o.at("--ast"), header, decls)) return 1;
  const std::vector<std::byte> raw = read_btf_section(o.at("--object"));
  if (raw.empty()) return 1;
  StringSink log;
  auto object = btf::Btf::parse(raw, nullptr, log, btf::Origin::kObjectFile);
  if (!object) return fail("the compiler's BTF of " + header + " is not valid: " + log.text());
  std::string error;
  const std::vector<std::byte> bytes = complete_btf(**object, decls, error);
  if (bytes.empty()) return fail(header + ": " + error);
  // The strict rules of client BTF hold for what hosts get.
  auto whole = btf::Btf::parse(bytes, nullptr, log);
  if (!whole) return fail("completed BTF of " + header + " is not valid: " + log.text());

  const std::string stem = o.at("--dir") + "/" + o.at("--name");
  const bool ok = write_if_changed(stem + ".btf", bytes) &&
                  write_if_changed(stem + "_btf.h", embed_header(o.at("--name"))) &&
                  write_if_changed(stem + "_btf.cc", embed_source(o.at("--name"), header, **whole, decls));
  return ok ? 0 : 1;
}

int run(int argc, char** argv) {
  struct Mode { const char* name; int (*run)(const Options&); std::vector<const char*> needs; };
  const Mode modes[] = {{"uses", run_uses, {"--header", "--ast", "--out"}},
                        {"embed", run_embed, {"--name", "--header", "--ast", "--object", "--dir"}}};
  Options options;
  for (int i = 2; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  for (const Mode& mode : modes) {
    if (argc < 2 || std::string(argv[1]) != mode.name) continue;
    for (const char* key : mode.needs)
      if (options.count(key) == 0) return fail(std::string(mode.name) + " needs " + key);
    return mode.run(options);
  }
  return fail("usage: ring3-btf-embed uses|embed --KEY VALUE …");
}

}  // namespace
}  // namespace ring3::btf_embed

int main(int argc, char** argv) { return ring3::btf_embed::run(argc, argv); }
