#include "runtime/prototype.h"

#include <fmt/format.h>

namespace ring3 {
namespace {

using btf::Kind;

constexpr int kMaxDepth = 32;

std::string btf_type_text(const btf::Btf& btf, btf::TypeId id, int depth = 0) {
  const btf::Type* type = btf.type(id);
  if (id == btf::kVoid) return "void";
  if (type == nullptr || depth > kMaxDepth) return "?";
  const auto inner = [&] { return btf_type_text(btf, type->type, depth + 1); };
  switch (type->kind) {
    case Kind::kPtr: return inner() + " *";
    case Kind::kConst: return "const " + inner();
    case Kind::kVolatile: return "volatile " + inner();
    case Kind::kRestrict:
    case Kind::kTypeTag: return inner();
    case Kind::kStruct: return fmt::format("struct {}", type->name);
    case Kind::kUnion: return fmt::format("union {}", type->name);
    case Kind::kFwd: return fmt::format("struct {}", type->name);
    case Kind::kEnum:
    case Kind::kEnum64: return fmt::format("enum {}", type->name);
    case Kind::kFuncProto: return "function";
    default: return std::string(type->name);
  }
}

bool is_text_char(const btf::Btf& btf, btf::TypeId plain) {
  const auto integer = btf.integer(plain);
  return integer && integer->bits == 8;
}

/// Kind, size and sign of a value that is no pointer.
bool same_number(CType::Kind kind, std::uint8_t bytes, bool is_signed, const btf::Btf& btf, btf::TypeId plain) {
  const btf::Type* type = btf.type(plain);
  const bool is_enum = type->kind == Kind::kEnum || type->kind == Kind::kEnum64;
  if (btf.size_of(plain) != bytes) return false;
  if (kind == CType::kEnum) return is_enum || type->kind == Kind::kInt;
  const auto integer = btf.integer(plain);
  if (!integer) return is_enum && kind == CType::kInt;
  if (kind == CType::kBool) return integer->is_bool;
  // Whether plain char is signed differs between machines.
  return !integer->is_bool && (integer->is_signed == is_signed || is_text_char(btf, plain));
}

bool same_pointee(const CType& cpp, const btf::Btf& btf, btf::TypeId pointer) {
  const btf::TypeId plain = btf.skip_modifiers(btf.type(pointer)->type);
  if (plain == btf::kVoid) return cpp.pointee == CType::kVoid;
  const btf::Type* type = btf.type(plain);
  switch (cpp.pointee) {
    case CType::kVoid: return false;
    case CType::kOther:
      return (type->kind == Kind::kStruct || type->kind == Kind::kUnion || type->kind == Kind::kFwd)
                 ? type->name == cpp.pointee_name
                 : type->kind == Kind::kFuncProto || type->kind == Kind::kArray;
    case CType::kPointer: return type->kind == Kind::kPtr;
    case CType::kBool:
    case CType::kInt:
    case CType::kEnum: return same_number(cpp.pointee, cpp.pointee_bytes, cpp.pointee_signed, btf, plain);
  }
  return false;
}

bool same_type(const CType& cpp, const btf::Btf& btf, btf::TypeId id) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  if (plain == btf::kVoid) return cpp.kind == CType::kVoid;
  const btf::Type* type = btf.type(plain);
  switch (cpp.kind) {
    case CType::kVoid:
    case CType::kOther: return false;
    case CType::kPointer: return type->kind == Kind::kPtr && same_pointee(cpp, btf, plain);
    case CType::kBool:
    case CType::kInt:
    case CType::kEnum: return same_number(cpp.kind, cpp.size_bytes, cpp.is_signed, btf, plain);
  }
  return false;
}

}  // namespace

std::string prototype_difference(const KfuncDef& def, const btf::Btf& btf, btf::TypeId proto) {
  const std::vector<btf::Param> params = btf.params(proto);
  if (params.size() != def.param_count)
    return fmt::format("{} arguments in C++ and {} in the BTF", def.param_count, params.size());
  const btf::TypeId ret = btf.type(proto)->type;
  if (!same_type(def.ret, btf, ret))
    return fmt::format("the result is {} in C++ and {} in the BTF", def.ret.text, btf_type_text(btf, ret));
  for (std::size_t i = 0; i < params.size(); ++i)
    if (!same_type(def.params[i], btf, params[i].type))
      return fmt::format("argument {} is {} in C++ and {} in the BTF", i + 1, def.params[i].text,
                         btf_type_text(btf, params[i].type));
  return {};
}

std::string cpp_prototype(const KfuncDef& def) {
  std::string text = fmt::format("{} {}(", def.ret.text, def.name);
  for (std::uint8_t i = 0; i < def.param_count; ++i) {
    if (i != 0) text += ", ";
    text += def.params[i].text;
  }
  return text + ")";
}

std::string btf_prototype(std::string_view name, const btf::Btf& btf, btf::TypeId proto) {
  std::string text = fmt::format("{} {}(", btf_type_text(btf, btf.type(proto)->type), name);
  bool first = true;
  for (const btf::Param& param : btf.params(proto)) {
    if (!first) text += ", ";
    first = false;
    text += btf_type_text(btf, param.type);
  }
  return text + ")";
}

}  // namespace ring3
