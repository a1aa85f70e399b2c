// Calls become indices into the program's own tables, so that a tier never searches.
#include "base/try.h"
#include "model/kernel_kfuncs.h"
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

Result<std::uint32_t> helper_index(Rewriting& r, std::uint32_t idx, std::uint32_t id) {
  std::vector<HelperCall>& helpers = r.out.helpers;
  for (std::uint32_t i = 0; i < helpers.size(); ++i)
    if (helpers[i].id == id) return i;
  const HelperCall* helper = r.in.find_helper != nullptr ? r.in.find_helper(id) : nullptr;
  if (helper == nullptr)
    return r.refuse(Errno::kInval, idx, "helper #" + std::to_string(id) + " is not provided by this host");
  helpers.push_back(*helper);
  return static_cast<std::uint32_t>(helpers.size() - 1);
}

struct ReturnShape {
  std::uint8_t bytes;
  bool is_signed;
};

/// How wide a kfunc's result is, by the prototype in BTF. Pointers and what BTF does not tell: 8 bytes.
ReturnShape return_shape(const model::Kfunc& kfunc) {
  if (kfunc.btf == nullptr) return {8, false};
  const btf::Type* func = kfunc.btf->type(kfunc.func);
  const btf::Type* proto = func != nullptr ? kfunc.btf->type(func->type) : nullptr;
  if (proto == nullptr || proto->kind != btf::Kind::kFuncProto) return {8, false};
  const btf::TypeId ret = kfunc.btf->skip_modifiers(proto->type);
  if (ret == btf::kVoid) return {0, false};
  const btf::Type* type = kfunc.btf->type(ret);
  const auto size = kfunc.btf->size_of(ret);
  if (type == nullptr || !size || *size > 8) return {8, false};
  const auto integer = kfunc.btf->integer(ret);
  const bool is_enum = type->kind == btf::Kind::kEnum || type->kind == btf::Kind::kEnum64;
  return {static_cast<std::uint8_t>(*size), integer ? integer->is_signed : is_enum && type->kind_flag};
}

/// Functions that work on objects of the program's own types: no tier can run them yet.
bool needs_objects(const model::Kfunc& kfunc) {
  const model::KernelKfunc* row = model::find_kernel_kfunc(kfunc.name);
  return row != nullptr && row->special >= model::KfuncSpecial::kObjNew && row->special <= model::KfuncSpecial::kRbtreeFirst;
}

Result<KfuncCall> kfunc_call(Rewriting& r, std::uint32_t idx, std::uint32_t index) {
  if (index >= r.in.facts.kfuncs.size()) return r.refuse(Errno::kInval, idx, "a kfunc that was not resolved");
  const model::Kfunc& kfunc = r.in.facts.kfuncs[index];
  if (needs_objects(kfunc)) return r.refuse(Errno::kNotSupp, idx, "running kfunc " + kfunc.name + " is not supported yet");
  if (kfunc.address == nullptr)
    return r.refuse(Errno::kInval, idx, "kfunc " + kfunc.name + " has no address");
  const ReturnShape ret = return_shape(kfunc);
  return KfuncCall{.name = kfunc.name, .address = kfunc.address, .ret_bytes = ret.bytes, .ret_signed = ret.is_signed};
}

inline constexpr std::uint32_t kUnused = UINT32_MAX;

/// numbers: per kfunc of the verified program its index in the result, kUnused until live code calls it.
Result<std::uint32_t> kfunc_index(Rewriting& r, std::uint32_t idx, std::vector<std::uint32_t>& numbers) {
  const std::uint32_t verified = r.facts(idx).kfunc;
  if (verified >= numbers.size()) return r.refuse(Errno::kInval, idx, "a kfunc call that was not resolved");
  if (numbers[verified] == kUnused) {
    r.out.kfuncs.push_back(RING3_TRY(kfunc_call(r, idx, r.in.verified.kfuncs[verified].index)));
    numbers[verified] = static_cast<std::uint32_t>(r.out.kfuncs.size() - 1);
  }
  return std::uint32_t{numbers[verified]};
}

}  // namespace

Result<void> resolve_calls(Rewriting& r) {
  std::vector<std::uint32_t> kfunc_numbers(r.in.verified.kfuncs.size(), kUnused);
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx) || r.copy.replaced(idx)) continue;
    isa::Insn& insn = r.copy.at(idx);
    if (insn.op == isa::Op::kCallHelper) {
      insn.imm = RING3_TRY(helper_index(r, idx, static_cast<std::uint32_t>(insn.imm)));
    } else if (insn.op == isa::Op::kCallKfunc) {
      insn.imm = RING3_TRY(kfunc_index(r, idx, kfunc_numbers));
      insn.off = 0;
    }
  }
  return {};
}

}  // namespace ring3::rewrite
