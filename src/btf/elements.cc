// Access to what hangs on a record: members, parameters, enumerators, section variables.
#include "base/check.h"
#include "btf/graph.h"
#include "btf/impl.h"

namespace ring3::btf {
namespace {

Member decode_member(const Btf::Impl& impl, TypeId id, std::uint32_t index) {
  const auto raw = impl.element<RawMember>(id, index);
  const bool packed = impl.type(id)->kind_flag;
  return {impl.string(raw.name_off), raw.type, packed ? raw.offset & 0xffffff : raw.offset,
          static_cast<std::uint8_t>(packed ? raw.offset >> 24 : 0)};
}

Param decode_param(const Btf::Impl& impl, TypeId id, std::uint32_t index) {
  const auto raw = impl.element<RawParam>(id, index);
  return {impl.string(raw.name_off), raw.type};
}

bool is_kind(const Btf& btf, TypeId id, Kind kind) {
  const Type* t = btf.type(id);
  return t != nullptr && t->kind == kind;
}

bool has_members(const Btf& btf, TypeId id) {
  const Type* t = btf.type(id);
  return t != nullptr && is_struct_or_union(t->kind);
}

}  // namespace

std::vector<Member> Btf::members(TypeId id) const {
  std::vector<Member> out;
  if (!has_members(*this, id)) return out;
  const Impl& impl = impl_->owner(id);
  const std::uint32_t count = type(id)->vlen;
  out.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(decode_member(impl, id, i));
  return out;
}

Member Btf::member(TypeId id, std::uint32_t index) const {
  RING3_CHECK(has_members(*this, id) && index < type(id)->vlen, "BTF member index");
  return decode_member(impl_->owner(id), id, index);
}

std::optional<Member> Btf::find_member(TypeId id, std::string_view name) const {
  if (!has_members(*this, id)) return std::nullopt;
  const Impl& impl = impl_->owner(id);
  const std::uint32_t count = type(id)->vlen;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Member m = decode_member(impl, id, i);
    if (m.name == name) return m;
  }
  return std::nullopt;
}

std::vector<Param> Btf::params(TypeId proto) const {
  std::vector<Param> out;
  if (!is_kind(*this, proto, Kind::kFuncProto)) return out;
  const Impl& impl = impl_->owner(proto);
  const std::uint32_t count = type(proto)->vlen;
  out.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) out.push_back(decode_param(impl, proto, i));
  return out;
}

Param Btf::param(TypeId proto, std::uint32_t index) const {
  RING3_CHECK(is_kind(*this, proto, Kind::kFuncProto) && index < type(proto)->vlen, "BTF parameter index");
  return decode_param(impl_->owner(proto), proto, index);
}

std::optional<ArrayInfo> Btf::array(TypeId id) const {
  if (!is_kind(*this, id, Kind::kArray)) return std::nullopt;
  const auto raw = impl_->owner(id).tail<RawArray>(id);
  return ArrayInfo{raw.elem, raw.index, raw.count};
}

std::optional<IntInfo> Btf::integer(TypeId id) const {
  if (!is_kind(*this, id, Kind::kInt)) return std::nullopt;
  return decode_int(impl_->owner(id).tail<std::uint32_t>(id));
}

std::vector<Enumerator> Btf::enumerators(TypeId id) const {
  std::vector<Enumerator> out;
  const Type* t = type(id);
  if (t == nullptr || (t->kind != Kind::kEnum && t->kind != Kind::kEnum64)) return out;
  const Impl& impl = impl_->owner(id);
  out.reserve(t->vlen);
  for (std::uint32_t i = 0; i < t->vlen; ++i) {
    if (t->kind == Kind::kEnum) {
      const auto raw = impl.element<RawEnum>(id, i);
      // The flag says signed; without it the 32 bits are a plain number.
      const std::int64_t value = t->kind_flag ? raw.value : static_cast<std::int64_t>(static_cast<std::uint32_t>(raw.value));
      out.push_back({impl.string(raw.name_off), value});
    } else {
      const auto raw = impl.element<RawEnum64>(id, i);
      const std::uint64_t value = (std::uint64_t{raw.high} << 32) | raw.low;
      out.push_back({impl.string(raw.name_off), static_cast<std::int64_t>(value)});
    }
  }
  return out;
}

std::vector<SecVar> Btf::section_vars(TypeId id) const {
  std::vector<SecVar> out;
  if (!is_kind(*this, id, Kind::kDatasec)) return out;
  const Impl& impl = impl_->owner(id);
  const std::uint32_t count = type(id)->vlen;
  out.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto raw = impl.element<RawSecVar>(id, i);
    out.push_back({raw.var, raw.off, raw.size});
  }
  return out;
}

Linkage Btf::linkage(TypeId id) const {
  if (is_kind(*this, id, Kind::kFunc)) return static_cast<Linkage>(type(id)->vlen);
  RING3_CHECK(is_kind(*this, id, Kind::kVar), "linkage of a BTF record that has none");
  return static_cast<Linkage>(impl_->owner(id).tail<std::uint32_t>(id));
}

std::int32_t Btf::decl_tag_component(TypeId id) const {
  RING3_CHECK(is_kind(*this, id, Kind::kDeclTag), "component of a BTF record that is no declaration tag");
  return impl_->owner(id).tail<std::int32_t>(id);
}

TypeId Btf::skip_modifiers(TypeId id) const { return type(id) == nullptr ? kVoid : behind_modifiers(*impl_, id); }

TypeId Btf::skip_qualifiers(TypeId id) const {
  const Type* t = type(id);
  if (t == nullptr) return kVoid;
  while (is_modifier(t->kind) && t->kind != Kind::kTypedef) {
    id = t->type;
    t = type(id);
  }
  return id;
}

std::optional<std::uint32_t> Btf::size_of(TypeId id) const {
  if (type(id) == nullptr) return std::nullopt;
  return size_in_bytes(*impl_, id);
}

}  // namespace ring3::btf
