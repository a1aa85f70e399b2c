#include "model/kfunc_args.h"

#include <algorithm>

namespace ring3::model {
namespace {

using btf::Kind;

constexpr int kMaxStructNesting = 3;

bool is_scalar_kind(const btf::Type& t) { return t.kind == Kind::kInt || t.kind == Kind::kEnum || t.kind == Kind::kEnum64; }

bool is_struct(const btf::Type* type) { return type != nullptr && (type->kind == Kind::kStruct || type->kind == Kind::kUnion); }

/// Arrays hold numbers, not structs, and at least one: what a flexible array holds is nowhere said.
bool is_scalar_array(const btf::Btf& btf, btf::TypeId array) {
  const std::optional<btf::ArrayInfo> info = btf.array(array);
  const btf::Type* elem = btf.type(btf.skip_modifiers(info->elem));
  return info->count != 0 && elem != nullptr && is_scalar_kind(*elem);
}

ScalarStruct judge_struct(const btf::Btf& btf, btf::TypeId id, int depth) {
  const btf::Type* type = btf.type(id);
  if (!is_struct(type)) return ScalarStruct::kNo;
  for (std::uint32_t i = 0; i < type->vlen; ++i) {
    const btf::TypeId member = btf.skip_modifiers(btf.member(id, i).type);
    const btf::Type* of = btf.type(member);
    if (is_struct(of)) {
      if (depth == kMaxStructNesting) return ScalarStruct::kTooDeep;
      const ScalarStruct inner = judge_struct(btf, member, depth + 1);
      if (inner != ScalarStruct::kYes) return inner;
    } else if (of != nullptr && of->kind == Kind::kArray) {
      if (!is_scalar_array(btf, member)) return ScalarStruct::kNo;
    } else if (of == nullptr || !is_scalar_kind(*of)) {
      return ScalarStruct::kNo;
    }
  }
  return ScalarStruct::kYes;
}

bool is_size_suffix(std::string_view name) { return has_suffix(name, "__sz") || has_suffix(name, "__szk"); }

KfuncArg describe_scalar(const btf::Btf& btf, btf::TypeId plain, const btf::Type& type, std::string_view name) {
  KfuncArg arg;
  arg.type = plain;
  arg.bytes = type.size;
  const std::optional<btf::IntInfo> info = btf.integer(plain);
  arg.is_signed = info.has_value() && info->is_signed;
  if (has_suffix(name, "__k")) arg.kind = KfuncArgKind::kConst;
  else if (name == "rdonly_buf_size" || name == "rdwr_buf_size") arg.kind = KfuncArgKind::kRetSize, arg.writable = name == "rdwr_buf_size";
  else if (has_suffix(name, "__szk")) arg.kind = KfuncArgKind::kConstMemSize;
  else if (has_suffix(name, "__sz")) arg.kind = KfuncArgKind::kMemSize;
  return arg;
}

/// Structs with a meaning of their own: never plain memory.
struct SpecialStruct {
  std::string_view name;
  KfuncArgKind kind;
};
constexpr SpecialStruct kSpecialStructs[] = {
    {"bpf_list_head", KfuncArgKind::kListHead}, {"bpf_list_node", KfuncArgKind::kListNode},
    {"bpf_rb_root", KfuncArgKind::kRbRoot},     {"bpf_rb_node", KfuncArgKind::kRbNode},
    {"bpf_dynptr", KfuncArgKind::kDynptr},      {"bpf_dynptr_kern", KfuncArgKind::kDynptr},
    {"bpf_wq", KfuncArgKind::kWork},            {"bpf_timer", KfuncArgKind::kUnsupported},
    {"bpf_spin_lock", KfuncArgKind::kUnsupported},
};
const SpecialStruct* special_struct(std::string_view name) {
  static constexpr SpecialStruct kIter{"bpf_iter_", KfuncArgKind::kUnsupported};
  for (const SpecialStruct& s : kSpecialStructs)
    if (s.name == name) return &s;
  return name.starts_with(kIter.name) ? &kIter : nullptr;
}

KfuncArg describe_pointer(const btf::Btf& btf, const btf::Type& pointer, std::string_view name, bool sized,
                          std::string_view ctx_struct) {
  KfuncArg arg;
  arg.optional = has_suffix(name, "__opt");
  arg.nullable = arg.optional || has_suffix(name, "__nullable");
  arg.uninit = has_suffix(name, "__uninit");
  arg.sized = sized;
  arg.type = btf.skip_modifiers(pointer.type);
  const btf::Type* pointee = arg.type == 0 ? nullptr : btf.type(arg.type);
  arg.bytes = arg.type == 0 ? 0 : btf.size_of(arg.type).value_or(0);
  if (has_suffix(name, "__ign")) arg.kind = KfuncArgKind::kIgnored;
  else if (has_suffix(name, "__str")) arg.kind = KfuncArgKind::kConstStr;
  else if (has_suffix(name, "__map")) arg.kind = KfuncArgKind::kConstMap;
  else if (has_suffix(name, "__alloc")) arg.kind = KfuncArgKind::kAllocObj;
  else if (has_suffix(name, "__refcounted_kptr")) arg.kind = KfuncArgKind::kRefcounted;
  else if (has_suffix(name, "__iter")) arg.kind = KfuncArgKind::kIter;
  else if (sized) arg.kind = KfuncArgKind::kMemSized;
  else if (pointee == nullptr) arg.kind = KfuncArgKind::kUnsupported;
  else if (pointee->kind == Kind::kFuncProto) arg.kind = KfuncArgKind::kCallback;
  else if (pointee->kind == Kind::kStruct && !ctx_struct.empty() && pointee->name == ctx_struct) arg.kind = KfuncArgKind::kCtx;
  else if (const SpecialStruct* special = pointee->kind == Kind::kStruct ? special_struct(pointee->name) : nullptr)
    arg.kind = special->kind;
  else if (pointee->kind == Kind::kStruct) arg.kind = KfuncArgKind::kHostStruct;
  else if (is_scalar_kind(*pointee) || judge_scalar_struct(btf, arg.type) == ScalarStruct::kYes) arg.kind = KfuncArgKind::kMem;
  else arg.kind = KfuncArgKind::kUnsupported;
  return arg;
}

void describe_return(const btf::Btf& btf, btf::TypeId id, KfuncProto& out) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  const btf::Type* type = btf.type(plain);
  if (plain == 0) {
    out.ret = KfuncRet::kVoid;
  } else if (type != nullptr && is_scalar_kind(*type)) {
    out.ret = KfuncRet::kScalar;
    out.ret_type = plain;
    out.ret_bytes = type->size;
  } else if (type != nullptr && type->kind == Kind::kPtr) {
    const btf::TypeId pointee = btf.skip_modifiers(type->type);
    const btf::Type* to = pointee == 0 ? nullptr : btf.type(pointee);
    out.ret_type = pointee;
    out.ret_bytes = pointee == 0 ? 0 : btf.size_of(pointee).value_or(0);
    out.ret = to != nullptr && to->kind == Kind::kStruct ? KfuncRet::kHostStruct : KfuncRet::kMem;
  } else {
    out.ret = KfuncRet::kUnsupported;
  }
}

}  // namespace

bool has_suffix(std::string_view name, std::string_view suffix) {
  return name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
}

ScalarStruct judge_scalar_struct(const btf::Btf& btf, btf::TypeId type) { return judge_struct(btf, btf.skip_modifiers(type), 0); }

KfuncProto describe_kfunc(const Kfunc& kfunc, std::string_view ctx_struct) {
  KfuncProto out;
  const btf::Btf& btf = *kfunc.btf;
  const btf::Type* func = btf.type(kfunc.func);
  const btf::Type* proto = func == nullptr ? nullptr : btf.type(func->type);
  if (func == nullptr || func->kind != Kind::kFunc || proto == nullptr || proto->kind != Kind::kFuncProto) {
    out.unsupported = "has no prototype";
    return out;
  }
  out.name = func->name;
  const std::vector<btf::Param> params = btf.params(func->type);
  if (params.size() > 5) {
    out.unsupported = "has more than 5 arguments";
    return out;
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    const btf::TypeId plain = btf.skip_modifiers(params[i].type);
    const btf::Type* type = plain == 0 ? nullptr : btf.type(plain);
    if (type != nullptr && is_scalar_kind(*type)) {
      out.args.push_back(describe_scalar(btf, plain, *type, params[i].name));
    } else if (type != nullptr && type->kind == Kind::kPtr) {
      const bool sized = i + 1 < params.size() && is_size_suffix(params[i + 1].name);
      out.args.push_back(describe_pointer(btf, *type, params[i].name, sized, ctx_struct));
    } else {
      out.unsupported = "has an argument that is neither a number nor a pointer";
      return out;
    }
  }
  for (std::size_t i = 0; i < out.args.size(); ++i) {
    const bool own = i == 0 && (kfunc.flags & (kKfuncIterNew | kKfuncIterNext | kKfuncIterDestroy)) != 0;
    const btf::Type* pointee = out.args[i].type == 0 ? nullptr : btf.type(out.args[i].type);
    const bool is_iter = pointee != nullptr && pointee->kind == Kind::kStruct && pointee->name.starts_with("bpf_iter_");
    if (own && is_iter) out.args[i].kind = KfuncArgKind::kIter;
  }
  describe_return(btf, proto->type, out);
  return out;
}

}  // namespace ring3::model
