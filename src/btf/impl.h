// What stands behind a Btf: the blob's own bytes and three indexes over them. Private to the room.
#pragma once

#include <compare>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "btf/records.h"

namespace ring3::btf {

/// Fixed-size view of the header after checks; offsets count from the start of the blob.
struct Sections {
  std::uint32_t types_off = 0;
  std::uint32_t types_bytes = 0;
  std::uint32_t strings_off = 0;
  std::uint32_t strings_bytes = 0;
};

/// Names to ids by open addressing. Slots hold own ids; equal names of one kind chain to the lowest.
class NameIndex {
 public:
  /// types[0] has id first_type.
  void build(const std::vector<Type>& types, TypeId first_type);
  /// 0: none.
  TypeId find(const std::vector<Type>& types, TypeId first_type, std::string_view name, Kind kind) const;

 private:
  std::vector<TypeId> slots_;  // power of two, 0 empty
};

struct TagRef {
  TypeId target;
  std::int32_t component;
  TypeId tag;
  friend auto operator<=>(const TagRef&, const TagRef&) = default;
};

struct Btf::Impl {
  std::vector<std::byte> blob;
  std::shared_ptr<const Btf> base;
  Sections sections;
  TypeId first_id = 1;
  std::uint32_t first_string = 0;        // string offset at which own strings begin
  std::vector<Type> types;               // own types; types[i] has id first_id + i (void first without a base)
  std::vector<std::uint32_t> offsets;    // byte offset of each own record in blob
  NameIndex names;
  std::vector<TagRef> tags;              // sorted by target, component, tag

  TypeId end_id() const { return first_type() + static_cast<TypeId>(types.size()); }
  /// Id of types[0].
  TypeId first_type() const { return base ? first_id : 0; }
  bool is_own(TypeId id) const { return id >= first_type() && id < end_id(); }
  const Type* type(TypeId id) const {
    if (id >= first_type()) return id < end_id() ? &types[id - first_type()] : nullptr;
    return base->type(id);
  }
  const Impl& owner(TypeId id) const { return id >= first_type() ? *this : base->impl_->owner(id); }
  std::uint32_t end_string() const { return first_string + sections.strings_bytes; }
  bool has_string(std::uint32_t off) const { return off < end_string(); }
  /// "" for an offset outside.
  std::string_view string(std::uint32_t off) const;

  void build_tags();

  /// Bytes of own record `id` after its common part.
  std::size_t tail_off(TypeId id) const { return offsets[id - first_type()] + kRecordBytes; }
  template <typename Raw>
  Raw element(TypeId id, std::uint32_t index) const {
    return load_raw<Raw>(blob, tail_off(id) + kind_row(types[id - first_type()].kind).tail_bytes + index * sizeof(Raw));
  }
  template <typename Raw>
  Raw tail(TypeId id) const {
    return load_raw<Raw>(blob, tail_off(id));
  }
};

}  // namespace ring3::btf
