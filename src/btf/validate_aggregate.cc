// Records made of several types: arrays, structs and unions, sections, prototypes.
#include "base/try.h"
#include "btf/names.h"
#include "btf/validate.h"

namespace ring3::btf {
namespace {

bool is_value_type_id(std::uint32_t id) { return id != kVoid && id <= kMaxTypeId; }

// Names, ids and order of the members; whether a member fits is known once sizes are (graph.h).
Result<void> check_member_record(const Checker& c, TypeId id, const RawType& raw, std::uint32_t index,
                                 std::uint32_t& last_bit_off) {
  const auto m = c.btf.element<RawMember>(id, index);
  if (!c.btf.has_string(m.name_off)) return c.refuse_member(id, index, "Invalid member name_offset");
  if (m.name_off != 0 && !is_identifier(c.btf.string(m.name_off))) return c.refuse_member(id, index, "Invalid name");
  if (!is_value_type_id(m.type)) return c.refuse_member(id, index, "Invalid type_id");
  const std::uint32_t bit_off = raw.kind_flag() ? m.offset & 0xffffff : m.offset;
  const bool is_union = static_cast<Kind>(raw.kind()) == Kind::kUnion;
  if ((is_union && bit_off != 0) || last_bit_off > bit_off)
    return c.refuse_member(id, index, "Invalid member bits_offset");
  if (bit_off / 8 + (bit_off % 8 != 0) > raw.size_or_type)
    return c.refuse_member(id, index, "Member bits_offset exceeds its struct size");
  last_bit_off = bit_off;
  return {};
}

}  // namespace

Result<void> check_array(const Checker& c, TypeId id, const RawType& raw) {
  RING3_TRY(c.no_name(id, raw));
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  if (raw.size_or_type != 0) return c.refuse(id, "size != 0");
  const auto a = c.btf.tail<RawArray>(id);
  if (!is_value_type_id(a.elem)) return c.refuse(id, "Invalid elem");
  if (!is_value_type_id(a.index)) return c.refuse(id, "Invalid index");
  return {};
}

Result<void> check_struct(const Checker& c, TypeId id, const RawType& raw) {
  RING3_TRY(c.optional_name(id, raw));
  std::uint32_t last_bit_off = 0;
  for (std::uint32_t i = 0; i < raw.vlen(); ++i) RING3_TRY(check_member_record(c, id, raw, i, last_bit_off));
  return {};
}

Result<void> check_datasec(const Checker& c, TypeId id, const RawType& raw) {
  const std::uint32_t size = raw.size_or_type;
  const bool is_laid_out = c.origin != Origin::kObjectFile;  // before that, size and offsets are zero
  if (is_laid_out && size == 0) return c.refuse(id, "size == 0");
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  if (raw.name_off == 0 || !is_section_name(c.btf.string(raw.name_off))) return c.refuse(id, "Invalid name");
  std::uint64_t last_end = 0;
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < raw.vlen(); ++i) {
    const auto v = c.btf.element<RawSecVar>(id, i);
    if (!is_value_type_id(v.var)) return c.refuse(id, "Invalid type_id");
    if (!is_laid_out) continue;
    if (v.off < last_end || v.off >= size) return c.refuse(id, "Invalid offset");
    if (v.size == 0 || v.size > size) return c.refuse(id, "Invalid size");
    last_end = std::uint64_t{v.off} + v.size;
    if (last_end > size) return c.refuse(id, "Invalid offset+size");
    sum += v.size;
  }
  if (is_laid_out && size < sum) return c.refuse(id, "Invalid btf_info size");
  return {};
}

Result<void> check_func_proto(const Checker& c, TypeId id, const RawType& raw) {
  RING3_TRY(c.no_name(id, raw));
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  return {};
}

}  // namespace ring3::btf
