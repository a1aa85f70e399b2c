// From a BTF prototype to what a thunk must save and return.
#include "base/try.h"
#include "exec/thunk.h"

namespace ring3::exec {
namespace {

using btf::Kind;

constexpr int kMaxNesting = 16;

/// What a value of at most 16 bytes is made of, as the calling convention sees it.
struct Content {
  bool only_integers = true;   // enums and pointers too, of 8 bytes at most: what travels in integer registers
  bool is_misaligned = false;  // some stands where the compiler would not have put it: a packed struct
  std::uint8_t used = 0;       // bit n: there is something in the n-th eight bytes
};

void look_at(const btf::Btf& btf, btf::TypeId id, std::uint32_t bit_off, int nesting, Content& out);

void look_at_scalar(std::uint32_t bits, std::uint32_t bit_off, bool is_bitfield, Content& out) {
  out.only_integers &= bits != 0 && bits <= 64 && bit_off + bits <= 128;
  if (!out.only_integers) return;
  out.is_misaligned |= !is_bitfield && bit_off % bits != 0;
  out.used = static_cast<std::uint8_t>(out.used | 1u << bit_off / 64 | 1u << (bit_off + bits - 1) / 64);
}

void look_at_elements(const btf::Btf& btf, const btf::ArrayInfo& array, std::uint32_t bit_off, int nesting, Content& out) {
  const auto bytes = btf.size_of(array.elem);
  if (!bytes) out.only_integers = false;
  if (!bytes || *bytes == 0) return;
  for (std::uint32_t i = 0; i < array.count && out.only_integers; ++i)
    look_at(btf, array.elem, bit_off + i * 8 * static_cast<std::uint32_t>(*bytes), nesting + 1, out);
}

void look_at(const btf::Btf& btf, btf::TypeId id, std::uint32_t bit_off, int nesting, Content& out) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  const btf::Type* type = btf.type(plain);
  const auto bytes = btf.size_of(plain);
  if (type == nullptr || !bytes || *bytes > 16 || nesting > kMaxNesting) {
    out.only_integers = false;
    return;
  }
  switch (type->kind) {
    case Kind::kInt:
    case Kind::kPtr:
    case Kind::kEnum:
    case Kind::kEnum64: return look_at_scalar(8 * static_cast<std::uint32_t>(*bytes), bit_off, false, out);
    case Kind::kArray: return look_at_elements(btf, *btf.array(plain), bit_off, nesting, out);
    case Kind::kStruct:
    case Kind::kUnion:
      for (const btf::Member& member : btf.members(plain))
        if (member.bitfield_bits != 0) look_at_scalar(member.bitfield_bits, bit_off + member.bit_off, true, out);
        else look_at(btf, member.type, bit_off + member.bit_off, nesting + 1, out);
      return;
    default: out.only_integers = false;  // floats, and what is no value
  }
}

Content content_of(const btf::Btf& btf, btf::TypeId id) {
  Content out;
  look_at(btf, id, 0, 0, out);
  return out;
}

bool is_signed(const btf::Btf& btf, btf::TypeId plain) {
  if (const auto integer = btf.integer(plain)) return integer->is_signed;
  const btf::Type* type = btf.type(plain);
  return (type->kind == Kind::kEnum || type->kind == Kind::kEnum64) && type->kind_flag;
}

Result<ThunkArg> argument(const btf::Btf& btf, btf::TypeId id) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  const auto size = btf.size_of(plain);
  if (!size || *size == 0 || *size > 16) return Errno::kNotSupp;
  const Content content = content_of(btf, plain);
  if (!content.only_integers) return Errno::kNotSupp;
  // Eight bytes without anything in them (an empty struct, room behind an alignment) travel nowhere.
  if (content.used != (*size > 8 ? 3 : 1)) return Errno::kNotSupp;
  const Kind kind = btf.type(plain)->kind;
  const bool aggregate = kind == Kind::kStruct || kind == Kind::kUnion;
  return ThunkArg{static_cast<std::uint8_t>(*size), !aggregate && is_signed(btf, plain), content.is_misaligned};
}

Result<void> set_result(const btf::Btf& btf, btf::TypeId id, ThunkShape& shape) {
  const btf::TypeId plain = btf.skip_modifiers(id);
  if (plain == btf::kVoid) {
    shape.ret_bytes = 0;
    return {};
  }
  const Kind kind = btf.type(plain)->kind;
  const auto size = btf.size_of(plain);
  if (kind == Kind::kStruct || kind == Kind::kUnion || !content_of(btf, plain).only_integers || !size || *size > 8)
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
