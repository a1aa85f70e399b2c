#include "declarations.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace ring3::btf_embed {
namespace {

using Json = nlohmann::ordered_json;

// The dump names a location's file only where it differs from the location before, in the order of the
// text: so every location is visited, in order, to know the file of each declaration.
class Reader {
 public:
  Reader(const std::string& header_path, Declarations& out)
      : folder_(std::filesystem::path(header_path).parent_path().string() + "/"), out_(out) {}

  void read(const Json& unit) {
    if (!unit.contains("inner")) return;
    for (const Json& decl : unit["inner"]) {
      if (decl.contains("loc")) follow_files(decl["loc"]);
      const std::string file = file_;
      take(decl, file);
      for (const auto& [key, value] : decl.items())
        if (key != "loc") follow_files(value);
    }
  }

 private:
  void follow_files(const Json& j) {
    if (!j.is_structured()) return;
    if (j.is_array()) {
      for (const Json& e : j) follow_files(e);
      return;
    }
    for (const auto& [key, value] : j.items()) {
      if (key == "includedFrom") continue;
      if (key == "file" && value.is_string())
        file_ = std::filesystem::absolute(value.get<std::string>()).lexically_normal().string();
      else
        follow_files(value);
    }
  }

  static std::string text(const Json& j, const char* key) { return j.contains(key) ? j[key].get<std::string>() : ""; }
  static bool flag(const Json& j, const char* key) { return j.contains(key) && j[key].get<bool>(); }
  static bool has_inner(const Json& j, std::string_view kind) {
    if (!j.contains("inner")) return false;
    return std::any_of(j["inner"].begin(), j["inner"].end(), [&](const Json& e) { return text(e, "kind") == kind; });
  }

  bool in_folder(const std::string& file) const { return file.compare(0, folder_.size(), folder_) == 0; }

  void take(const Json& d, const std::string& file) {
    if (flag(d, "isImplicit")) return;
    const std::string kind = text(d, "kind");
    const std::string name = text(d, "name");
    if (kind == "RecordDecl" && flag(d, "completeDefinition") && !name.empty()) {
      const bool is_union = text(d, "tagUsed") == "union";
      (is_union ? out_.unions : out_.structs).push_back(name);
      if (!is_union && in_folder(file)) out_.host_structs.push_back(name);
    } else if (kind == "EnumDecl") {
      if (!name.empty())
        out_.enums.push_back(name);
      else if (in_folder(file))
        take_nameless_enum(d);
    } else if (kind == "TypedefDecl") {
      out_.typedefs.push_back(name);
    } else if (kind == "VarDecl" && has_inner(d, "SectionAttr")) {
      if (std::find(out_.variables.begin(), out_.variables.end(), name) == out_.variables.end()) out_.variables.push_back(name);
    } else if (kind == "FunctionDecl" && !has_inner(d, "CompoundStmt") && text(d, "storageClass") != "static") {
      if (in_folder(file) || has_inner(d, "BTFDeclTagAttr")) take_function(d, name);
    }
  }

  void take_function(const Json& d, const std::string& name) {
    Function f{name, {}};
    if (d.contains("inner"))
      for (const Json& p : d["inner"])
        if (text(p, "kind") == "ParmVarDecl") f.params.push_back(text(p, "name"));
    const auto known = std::find_if(out_.functions.begin(), out_.functions.end(),
                                    [&](const Function& other) { return other.name == name; });
    if (known == out_.functions.end()) out_.functions.push_back(std::move(f));
  }

  // Finds the value clang computed for an enumerator; absent: one more than the last.
  static bool constant_value(const Json& j, std::int64_t& value) {
    if (!j.contains("inner")) return false;
    for (const Json& e : j["inner"]) {
      if (text(e, "kind") == "ConstantExpr" && e.contains("value")) {
        const std::string digits = e["value"].get<std::string>();
        value = digits.starts_with('-') ? std::stoll(digits) : static_cast<std::int64_t>(std::stoull(digits));
        return true;
      }
    }
    return false;
  }

  void take_nameless_enum(const Json& d) {
    std::vector<std::pair<std::string, std::int64_t>> values;
    std::int64_t next = 0;
    if (d.contains("inner"))
      for (const Json& e : d["inner"]) {
        if (text(e, "kind") != "EnumConstantDecl") continue;
        constant_value(e, next);
        values.emplace_back(text(e, "name"), next++);
      }
    if (!values.empty()) out_.nameless_enums.push_back(std::move(values));
  }

  std::string folder_;
  std::string file_;
  Declarations& out_;
};

}  // namespace

bool read_declarations(const std::string& ast_path, const std::string& header_path, Declarations& out) {
  std::ifstream file(ast_path);
  const Json unit = Json::parse(file, nullptr, false);
  if (unit.is_discarded() || !unit.is_object()) {
    std::fprintf(stderr, "ring3-btf-embed: %s is no AST dump of clang\n", ast_path.c_str());
    return false;
  }
  Reader(header_path, out).read(unit);
  return true;
}

}  // namespace ring3::btf_embed
