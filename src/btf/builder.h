// Writes BTF: a new blob, a split blob over a base, or a given blob with more records at its end.
// Nothing is checked here: what finish() returns goes through Btf::parse like any other bytes, so
// tests may build broken blobs on purpose.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "btf/btf.h"

namespace ring3::btf {

class Builder {
 public:
  /// A new blob. With a base, a split one: ids and strings go on where the base ends.
  explicit Builder(std::shared_ptr<const Btf> base = nullptr);
  /// A copy of all own records and strings of `whole`, to be appended to; its ids stay as they are.
  static Builder append_to(const Btf& whole);

  struct NewMember { std::string_view name; TypeId type; std::uint32_t bit_off; std::uint8_t bitfield_bits = 0; };
  struct NewParam { std::string_view name; TypeId type; };
  struct NewEnumerator { std::string_view name; std::int64_t value; };

  /// encoding: 0 none, 1 signed, 2 char, 4 bool. bits: 0 means all of them.
  TypeId add_int(std::string_view name, std::uint32_t bytes, std::uint32_t encoding = 0, std::uint32_t bits = 0);
  TypeId add_float(std::string_view name, std::uint32_t bytes);
  /// kind: kPtr, kConst, kVolatile, kRestrict.
  TypeId add_ref(Kind kind, TypeId target);
  TypeId add_ptr(TypeId target) { return add_ref(Kind::kPtr, target); }
  TypeId add_typedef(std::string_view name, TypeId target);
  TypeId add_type_tag(std::string_view tag, TypeId target);
  TypeId add_decl_tag(std::string_view tag, TypeId target, std::int32_t component = -1);
  TypeId add_array(TypeId elem, TypeId index, std::uint32_t count);
  /// A member with a bitfield width sets the record's kind flag.
  TypeId add_struct(std::string_view name, std::uint32_t bytes, std::span<const NewMember> members,
                    Kind kind = Kind::kStruct);
  TypeId add_struct(std::string_view name, std::uint32_t bytes, std::initializer_list<NewMember> members) {
    return add_struct(name, bytes, std::span(members.begin(), members.size()));
  }
  TypeId add_fwd(std::string_view name, bool is_union = false);
  TypeId add_enum(std::string_view name, std::uint32_t bytes, std::span<const NewEnumerator> values,
                  bool is_signed = false);
  TypeId add_proto(TypeId ret, std::span<const NewParam> params);
  TypeId add_proto(TypeId ret, std::initializer_list<NewParam> params) {
    return add_proto(ret, std::span(params.begin(), params.size()));
  }
  TypeId add_func(std::string_view name, TypeId proto, Linkage linkage);
  TypeId add_var(std::string_view name, TypeId type, Linkage linkage);
  TypeId add_datasec(std::string_view name, std::uint32_t bytes, std::span<const SecVar> vars);
  /// A copy of a record of another blob, with its references translated: ids[old] is the id in this one.
  TypeId add_copy(const Btf& from, TypeId id, std::span<const TypeId> ids);
  /// A record from its words, for what the others cannot say. info and the rest are stored as they are.
  TypeId add_raw(std::span<const std::uint32_t> words);

  /// Offset of a string in the string section; equal strings share it.
  std::uint32_t string(std::string_view text);
  /// The id the next record will get.
  TypeId next_id() const { return next_id_; }
  std::vector<std::byte> finish() const;

 private:
  TypeId add(Kind kind, std::string_view name, bool flag, std::size_t vlen, std::uint32_t size_or_type,
             std::span<const std::uint32_t> rest = {});

  TypeId next_id_ = 1;
  std::uint32_t first_string_ = 0;
  std::vector<std::uint32_t> words_;
  std::string strings_;
  std::unordered_map<std::string, std::uint32_t> string_offs_;
};

}  // namespace ring3::btf
