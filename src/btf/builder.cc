#include "btf/builder.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"


namespace ring3::btf {

Builder::Builder(std::shared_ptr<const Btf> base) {
  if (base == nullptr) {
    strings_.push_back('\0');
    string_offs_.emplace("", 0);
    return;
  }
  next_id_ = base->end_id();
  first_string_ = base->string_bytes();
  string_offs_.emplace("", 0);
}

Builder Builder::append_to(const Btf& whole) {
  Builder b(whole.base());
  const std::span<const std::byte> types = whole.type_section();
  const std::span<const std::byte> strings = whole.string_section();
  b.next_id_ = whole.end_id();
  b.words_.resize(types.size() / sizeof(std::uint32_t));
  std::memcpy(b.words_.data(), types.data(), types.size());
  b.strings_.assign(reinterpret_cast<const char*>(strings.data()), strings.size());
  return b;
}

std::uint32_t Builder::string(std::string_view text) {
  const auto [it, is_new] = string_offs_.try_emplace(std::string(text), 0);
  if (is_new) {
    it->second = first_string_ + static_cast<std::uint32_t>(strings_.size());
    strings_.append(text);
    strings_.push_back('\0');
  }
  return it->second;
}

TypeId Builder::add(Kind kind, std::string_view name, bool flag, std::size_t vlen, std::uint32_t size_or_type,
                    std::span<const std::uint32_t> rest) {
  const std::uint32_t info =
      (flag ? 1u << 31 : 0) | (static_cast<std::uint32_t>(kind) << 24) | static_cast<std::uint32_t>(vlen & 0xffff);
  words_.insert(words_.end(), {string(name), info, size_or_type});
  words_.insert(words_.end(), rest.begin(), rest.end());
  return next_id_++;
}

TypeId Builder::add_raw(std::span<const std::uint32_t> words) {
  words_.insert(words_.end(), words.begin(), words.end());
  return next_id_++;
}

TypeId Builder::add_int(std::string_view name, std::uint32_t bytes, std::uint32_t encoding, std::uint32_t bits) {
  const std::uint32_t data[] = {(encoding << 24) | (bits == 0 ? bytes * 8 : bits)};
  return add(Kind::kInt, name, false, 0, bytes, data);
}

TypeId Builder::add_float(std::string_view name, std::uint32_t bytes) { return add(Kind::kFloat, name, false, 0, bytes); }
TypeId Builder::add_ref(Kind kind, TypeId target) { return add(kind, "", false, 0, target); }
TypeId Builder::add_typedef(std::string_view name, TypeId target) { return add(Kind::kTypedef, name, false, 0, target); }
TypeId Builder::add_type_tag(std::string_view tag, TypeId target) { return add(Kind::kTypeTag, tag, false, 0, target); }
TypeId Builder::add_fwd(std::string_view name, bool is_union) { return add(Kind::kFwd, name, is_union, 0, 0); }

TypeId Builder::add_decl_tag(std::string_view tag, TypeId target, std::int32_t component) {
  const std::uint32_t rest[] = {static_cast<std::uint32_t>(component)};
  return add(Kind::kDeclTag, tag, false, 0, target, rest);
}

TypeId Builder::add_array(TypeId elem, TypeId index, std::uint32_t count) {
  const std::uint32_t rest[] = {elem, index, count};
  return add(Kind::kArray, "", false, 0, 0, rest);
}

TypeId Builder::add_struct(std::string_view name, std::uint32_t bytes, std::span<const NewMember> members, Kind kind) {
  const bool packed =
      std::any_of(members.begin(), members.end(), [](const NewMember& m) { return m.bitfield_bits != 0; });
  std::vector<std::uint32_t> rest;
  for (const NewMember& m : members) {
    const std::uint32_t off = packed ? (std::uint32_t{m.bitfield_bits} << 24) | m.bit_off : m.bit_off;
    rest.insert(rest.end(), {string(m.name), m.type, off});
  }
  return add(kind, name, packed, members.size(), bytes, rest);
}

TypeId Builder::add_enum(std::string_view name, std::uint32_t bytes, std::span<const NewEnumerator> values,
                         bool is_signed) {
  std::vector<std::uint32_t> rest;
  for (const NewEnumerator& e : values) {
    rest.push_back(string(e.name));
    rest.push_back(static_cast<std::uint32_t>(e.value));
    if (bytes == 8) rest.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(e.value) >> 32));
  }
  return add(bytes == 8 ? Kind::kEnum64 : Kind::kEnum, name, is_signed, values.size(), bytes, rest);
}

TypeId Builder::add_proto(TypeId ret, std::span<const NewParam> params) {
  std::vector<std::uint32_t> rest;
  for (const NewParam& p : params) rest.insert(rest.end(), {string(p.name), p.type});
  return add(Kind::kFuncProto, "", false, params.size(), ret, rest);
}

TypeId Builder::add_func(std::string_view name, TypeId proto, Linkage linkage) {
  return add(Kind::kFunc, name, false, static_cast<std::size_t>(linkage), proto);
}

TypeId Builder::add_var(std::string_view name, TypeId type, Linkage linkage) {
  const std::uint32_t rest[] = {static_cast<std::uint32_t>(linkage)};
  return add(Kind::kVar, name, false, 0, type, rest);
}

TypeId Builder::add_datasec(std::string_view name, std::uint32_t bytes, std::span<const SecVar> vars) {
  std::vector<std::uint32_t> rest;
  for (const SecVar& v : vars) rest.insert(rest.end(), {v.var, v.off, v.size});
  return add(Kind::kDatasec, name, false, vars.size(), bytes, rest);
}

TypeId Builder::add_copy(const Btf& from, TypeId id, std::span<const TypeId> ids) {
  const Type& t = *from.type(id);
  switch (t.kind) {
    case Kind::kInt: {
      const IntInfo i = *from.integer(id);
      return add_int(t.name, t.size, (i.is_signed ? 1u : 0) | (i.is_char ? 2u : 0) | (i.is_bool ? 4u : 0), i.bits);
    }
    case Kind::kFloat:
      return add_float(t.name, t.size);
    case Kind::kPtr:
    case Kind::kTypedef:
    case Kind::kVolatile:
    case Kind::kConst:
    case Kind::kRestrict:
    case Kind::kTypeTag:
    case Kind::kFunc:
      return add(t.kind, t.name, t.kind_flag, t.vlen, ids[t.type]);
    case Kind::kFwd:
      return add_fwd(t.name, t.kind_flag);
    case Kind::kArray: {
      const ArrayInfo a = *from.array(id);
      return add_array(ids[a.elem], ids[a.index], a.count);
    }
    case Kind::kStruct:
    case Kind::kUnion: {
      std::vector<NewMember> members;
      for (const Member& m : from.members(id)) members.push_back({m.name, ids[m.type], m.bit_off, m.bitfield_bits});
      return add_struct(t.name, t.size, members, t.kind);
    }
    case Kind::kEnum:
    case Kind::kEnum64: {
      std::vector<NewEnumerator> values;
      for (const Enumerator& e : from.enumerators(id)) values.push_back({e.name, e.value});
      const bool is_wide = t.kind == Kind::kEnum64;
      RING3_CHECK(is_wide == (t.size == 8), "copy of an enumeration of odd size");
      return add_enum(t.name, t.size, values, t.kind_flag);
    }
    case Kind::kFuncProto: {
      std::vector<NewParam> params;
      for (const Param& p : from.params(id)) params.push_back({p.name, ids[p.type]});
      return add_proto(ids[t.type], params);
    }
    case Kind::kVar:
      return add_var(t.name, ids[t.type], from.linkage(id));
    case Kind::kDatasec: {
      std::vector<SecVar> vars;
      for (const SecVar& v : from.section_vars(id)) vars.push_back({ids[v.var], v.off, v.size});
      return add_datasec(t.name, t.size, vars);
    }
    case Kind::kDeclTag:
      return add_decl_tag(t.name, ids[t.type], from.decl_tag_component(id));
    case Kind::kUnkn:
      break;
  }
  RING3_CHECK(false, "copy of void");
  return kVoid;
}

std::vector<std::byte> Builder::finish() const {
  const auto type_bytes = static_cast<std::uint32_t>(words_.size() * sizeof(std::uint32_t));
  const auto string_bytes = static_cast<std::uint32_t>(strings_.size());
  constexpr std::uint32_t kHeaderBytes = 24;
  // magic, version 1, no flags; then the two sections one after the other.
  const std::uint32_t header[] = {0x0001eb9f, kHeaderBytes, 0, type_bytes, type_bytes, string_bytes};
  std::vector<std::byte> out(kHeaderBytes + type_bytes + string_bytes);
  std::memcpy(out.data(), header, kHeaderBytes);
  if (type_bytes != 0) std::memcpy(out.data() + kHeaderBytes, words_.data(), type_bytes);
  if (string_bytes != 0) std::memcpy(out.data() + kHeaderBytes + type_bytes, strings_.data(), string_bytes);
  return out;
}

}  // namespace ring3::btf
