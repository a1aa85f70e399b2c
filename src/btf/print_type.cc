// C declarations are read inside out: each step wraps what is already there (a name, or nothing) by the
// next derivation, until a base type ends it.
#include <fmt/format.h>

#include "btf/print.h"
#include "btf/records.h"

namespace ring3::btf {
namespace {

constexpr int kMaxText = 4096;  // prototypes of prototypes grow; names for messages may stop

std::string_view name_or_anon(const Type& t) { return t.name.empty() ? "(anon)" : t.name; }

std::string join(std::string_view base, const std::string& inner) {
  if (inner.empty()) return std::string(base);
  if (inner[0] == '[' || inner[0] == '(') return fmt::format("{}{}{}", base, inner[0] == '(' ? " " : "", inner);
  return fmt::format("{} {}", base, inner);
}

const char* tag_word(const Type& t) {
  switch (t.kind) {
    case Kind::kStruct:
      return "struct ";
    case Kind::kUnion:
      return "union ";
    case Kind::kEnum:
    case Kind::kEnum64:
      return "enum ";
    case Kind::kFwd:
      return t.kind_flag ? "union " : "struct ";
    default:
      return "";
  }
}

std::string params_text(const Btf& btf, TypeId proto, bool with_names, int depth);

// inner: what stands at the place of the name so far.
std::string wrap(const Btf& btf, TypeId id, std::string inner, int depth) {
  std::string qualifiers;  // of the next pointer or base type
  for (;;) {
    const Type* t = btf.type(id);
    if (t == nullptr) return join(fmt::format("(type {})", id), inner);
    if (inner.size() > kMaxText || depth > 8) return "…";
    switch (t->kind) {
      case Kind::kConst:
        qualifiers += "const ";
        break;
      case Kind::kVolatile:
        qualifiers += "volatile ";
        break;
      case Kind::kRestrict:
        qualifiers += "restrict ";
        break;
      case Kind::kTypeTag:
        break;
      case Kind::kPtr: {
        std::string pointer = "*" + qualifiers;
        if (!qualifiers.empty() && inner.empty()) pointer.pop_back();
        inner = pointer + inner;
        qualifiers.clear();
        const Kind to = btf.type(t->type)->kind;
        if (to == Kind::kArray || to == Kind::kFuncProto) inner = "(" + inner + ")";
        break;
      }
      case Kind::kArray:
        inner += fmt::format("[{}]", btf.array(id)->count);
        id = btf.array(id)->elem;
        continue;
      case Kind::kFuncProto:
        inner += params_text(btf, id, false, depth + 1);
        break;
      case Kind::kFunc:
      case Kind::kVar:
      case Kind::kDatasec:
      case Kind::kDeclTag:
      case Kind::kUnkn:
      case Kind::kInt:
      case Kind::kStruct:
      case Kind::kUnion:
      case Kind::kEnum:
      case Kind::kEnum64:
      case Kind::kFwd:
      case Kind::kTypedef:
      case Kind::kFloat: {
        const std::string_view base = t->kind == Kind::kUnkn ? "void" : name_or_anon(*t);
        return join(fmt::format("{}{}{}", qualifiers, tag_word(*t), base), inner);
      }
    }
    id = t->type;
  }
}

std::string params_text(const Btf& btf, TypeId proto, bool with_names, int depth) {
  std::string text = "(";
  const std::uint32_t count = btf.type(proto)->vlen;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Param p = btf.param(proto, i);
    if (i != 0) text += ", ";
    if (text.size() > kMaxText) return text + "…)";
    text += p.type == kVoid ? "..." : wrap(btf, p.type, with_names ? std::string(p.name) : "", depth);
  }
  return text + (count == 0 ? "void)" : ")");
}

}  // namespace

std::string declaration(const Btf& btf, TypeId id, std::string_view name) { return wrap(btf, id, std::string(name), 0); }

std::string type_name(const Btf& btf, TypeId id) { return declaration(btf, id, ""); }

std::string function_text(const Btf& btf, TypeId func) {
  const Type* t = btf.type(func);
  if (t == nullptr || t->kind != Kind::kFunc) return "(no function)";
  return wrap(btf, btf.type(t->type)->type, std::string(t->name) + params_text(btf, t->type, true, 1), 0);
}

}  // namespace ring3::btf
