#include "verifier/kinds/struct_walk.h"

#include "verifier/diag/diag.h"

namespace ring3::verifier {
namespace {

using btf::Kind;

StructWalk refused(std::string text) {
  StructWalk w;
  w.refusal = std::move(text);
  return w;
}
StructWalk scalar() {
  StructWalk w;
  w.result = StructWalk::Result::kScalar;
  return w;
}

StructWalk walk_pointer(const btf::Btf& btf, const btf::Type& pointer) {
  StructWalk w;
  btf::TypeId id = pointer.type;
  const btf::Type* type = btf.type(id);
  while (type != nullptr && (type->kind == Kind::kTypeTag || type->kind == Kind::kConst ||
                             type->kind == Kind::kVolatile || type->kind == Kind::kRestrict || type->kind == Kind::kTypedef)) {
    if (type->kind == Kind::kTypeTag) {
      w.rcu_tag |= type->name == "rcu";
      w.user_tag |= type->name == "user";
      w.percpu_tag |= type->name == "percpu";
    }
    id = type->type;
    type = btf.type(id);
  }
  const bool to_struct = id != 0 && type != nullptr && type->kind == Kind::kStruct;
  w.result = to_struct ? StructWalk::Result::kPointer : StructWalk::Result::kScalar;
  w.pointee = to_struct ? id : 0;
  return w;
}

/// A trailing array without a length reaches as far as the program likes to read it.
StructWalk walk_flexible(const btf::Btf& btf, btf::TypeId id, const btf::Type& type, std::uint32_t off, std::uint32_t size) {
  const std::string beyond = format_message("access beyond struct {} at off {} size {}", {type.name, off, size});
  if (type.vlen == 0 || type.kind != Kind::kStruct) return refused(beyond);
  const btf::Member last = btf.member(id, type.vlen - 1u);
  const std::optional<btf::ArrayInfo> array = btf.array(btf.skip_modifiers(last.type));
  if (!array.has_value() || array->count != 0 || off < last.bit_off / 8) return refused(beyond);
  const btf::TypeId elem = btf.skip_modifiers(array->elem);
  const btf::Type* elem_type = btf.type(elem);
  const std::uint32_t elem_bytes = btf.size_of(elem).value_or(0);
  if (elem_type == nullptr || elem_bytes == 0) return refused(beyond);
  const std::uint32_t inside = (off - last.bit_off / 8) % elem_bytes;
  StructWalk w = elem_type->kind == Kind::kStruct                                     ? walk_struct(btf, elem, inside, size)
                 : inside + size <= elem_bytes && elem_type->kind != Kind::kPtr ? scalar()
                                                                                : refused(beyond);
  w.beyond = true;
  return w;
}

StructWalk walk_member(const btf::Btf& btf, const btf::Type& owner, const btf::Member& m, std::uint32_t off,
                       std::uint32_t size) {
  const std::uint32_t moff = m.bit_off / 8;
  btf::TypeId id = btf.skip_modifiers(m.type);
  const btf::Type* type = btf.type(id);
  std::uint32_t bytes = btf.size_of(id).value_or(0);
  std::uint32_t inside = off - moff;
  while (type != nullptr && type->kind == Kind::kArray) {
    const btf::ArrayInfo array = *btf.array(id);
    id = btf.skip_modifiers(array.elem);
    type = btf.type(id);
    const std::uint32_t elem_bytes = btf.size_of(id).value_or(0);
    if (elem_bytes == 0) return scalar();
    // Plain data may be read across elements.
    if (type != nullptr && type->kind != Kind::kStruct && type->kind != Kind::kUnion && type->kind != Kind::kPtr &&
        type->kind != Kind::kArray && inside + size <= bytes)
      return scalar();
    bytes = elem_bytes;
    inside %= elem_bytes;
  }
  if (type == nullptr) return refused("unknown member type");
  if (inside + size > bytes)
    return refused(format_message("access beyond the end of member {} (mend:{}) in struct {} with off {} size {}",
                                  {m.name, moff + bytes, owner.name, off, size}));
  if (type->kind == Kind::kStruct || type->kind == Kind::kUnion) return walk_struct(btf, id, inside, size);
  if (type->kind != Kind::kPtr) return scalar();
  if (inside != 0 || size != 8)
    return refused(format_message("cannot access ptr member {} with moff {} in struct {} with off {} size {}",
                                  {m.name, moff, owner.name, off, size}));
  StructWalk w = walk_pointer(btf, *type);
  w.owner = owner.name;
  w.member = m.name;
  return w;
}

}  // namespace

StructWalk walk_struct(const btf::Btf& btf, btf::TypeId id, std::uint32_t off, std::uint32_t size) {
  const btf::Type* type = btf.type(id);
  if (type == nullptr) return refused("unknown struct");
  if (off + size > type->size) return walk_flexible(btf, id, *type, off, size);
  const bool is_union = type->kind == Kind::kUnion && type->vlen > 1;
  StructWalk last = refused(format_message("struct {} doesn't have field at offset {}", {type->name, off}));
  for (std::uint32_t i = 0; i < type->vlen; ++i) {
    const btf::Member m = btf.member(id, i);
    const std::uint32_t first_byte = m.bit_off / 8;
    if (m.bitfield_bits != 0) {
      const std::uint32_t end_byte = (m.bit_off + m.bitfield_bits + 7) / 8;
      if (off + size <= first_byte || off >= end_byte) continue;
      return scalar();
    }
    const std::uint32_t bytes = btf.size_of(m.type).value_or(0);
    if (off < first_byte || off >= first_byte + bytes) continue;
    StructWalk w = walk_member(btf, *type, m, off, size);
    if (w.result == StructWalk::Result::kRefused) {
      last = std::move(w);
      continue;  // another member of a union may fit
    }
    w.through_union |= is_union;
    if (w.owner.empty()) w.owner = type->name;  // an unnamed member is its struct's own
    return w;
  }
  return last;
}

}  // namespace ring3::verifier
