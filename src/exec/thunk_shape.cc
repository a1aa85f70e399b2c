// From a BTF prototype to what a thunk must save and return.
#include "base/try.h"
#include "exec/thunk.h"

namespace ring3::exec {
namespace {

using btf::Kind;

constexpr int kMaxNesting = 16;

/// Integers, enums, pointers, and aggregates of nothing else: what travels in integer registers.
bool is_integer_class(const btf::Btf& btf, btf::TypeId id, int nesting) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  const btf::Type* type = btf.type(plain);
  if (type == nullptr || nesting > kMaxNesting) return false;
  switch (type->kind) {
    case Kind::kInt:
    case Kind::kPtr:
    case Kind::kEnum:
    case Kind::kEnum64: return true;
    case Kind::kArray: {
      const auto array = btf.array(plain);
      return array && is_integer_class(btf, array->elem, nesting + 1);
    }
    case Kind::kStruct:
    case Kind::kUnion:
      for (const btf::Member& member : btf.members(plain))
        if (!is_integer_class(btf, member.type, nesting + 1)) return false;
      return true;
    default: return false;  // floats, and what is no value
  }
}

bool is_signed(const btf::Btf& btf, btf::TypeId plain) {
  if (const auto integer = btf.integer(plain)) return integer->is_signed;
  const btf::Type* type = btf.type(plain);
  return (type->kind == Kind::kEnum || type->kind == Kind::kEnum64) && type->kind_flag;
}

Result<ThunkArg> argument(const btf::Btf& btf, btf::TypeId id) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  const auto size = btf.size_of(plain);
  if (!is_integer_class(btf, plain, 0) || !size || *size == 0 || *size > 16) return Errno::kNotSupp;
  const Kind kind = btf.type(plain)->kind;
  const bool aggregate = kind == Kind::kStruct || kind == Kind::kUnion;
  // A 16-byte integer aligns its registers; no BPF type needs it.
  if (!aggregate && *size > 8) return Errno::kNotSupp;
  return ThunkArg{static_cast<std::uint8_t>(*size), !aggregate && is_signed(btf, plain)};
}

Result<void> set_result(const btf::Btf& btf, btf::TypeId id, ThunkShape& shape) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  if (plain == btf::kVoid) {
    shape.ret_bytes = 0;
    return {};
  }
  const Kind kind = btf.type(plain)->kind;
  const auto size = btf.size_of(plain);
  if (kind == Kind::kStruct || kind == Kind::kUnion || !is_integer_class(btf, plain, 0) || !size || *size > 8)
    return Errno::kNotSupp;
  const auto integer = btf.integer(plain);
  shape.ret_bytes = static_cast<std::uint8_t>(*size);
  shape.ret_signed = is_signed(btf, plain);
  shape.ret_bool = integer && integer->is_bool;
  return {};
}

}  // namespace

Result<ThunkShape> thunk_shape(const btf::Btf& btf, btf::TypeId proto) {
  const btf::Type* type = btf.type(proto);
  if (type == nullptr || type->kind != Kind::kFuncProto) return Errno::kInval;
  ThunkShape shape;
  if (Result<void> done = set_result(btf, type->type, shape); !done) return done.error();
  for (const btf::Param& param : btf.params(proto)) {
    if (param.type == btf::kVoid) return Errno::kNotSupp;  // variable arguments
    shape.args.push_back(RING3_TRY(argument(btf, param.type)));
  }
  if (shape.slots() > kMaxThunkSlots) return Errno::kNotSupp;
  return shape;
}

}  // namespace ring3::exec
