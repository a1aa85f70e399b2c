#include "btf/validate.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "btf/names.h"

namespace ring3::btf {
namespace {

std::string details(const Btf::Impl& btf, TypeId id, const Type& t) {
  const std::uint32_t third = load_raw<RawType>(btf.blob, btf.offsets[id - btf.first_type()]).size_or_type;
  switch (t.kind) {
    case Kind::kInt: {
      const auto data = btf.tail<std::uint32_t>(id);
      const IntInfo i = decode_int(data);
      const char* encoding = i.is_signed ? "SIGNED" : i.is_char ? "CHAR" : i.is_bool ? "BOOL" : "(none)";
      return fmt::format("size={} bits_offset={} nr_bits={} encoding={}", t.size, i.bit_off, i.bits, encoding);
    }
    case Kind::kArray: {
      const auto a = btf.tail<RawArray>(id);
      return fmt::format("type_id={} index_type_id={} nr_elems={}", a.elem, a.index, a.count);
    }
    case Kind::kStruct:
    case Kind::kUnion:
    case Kind::kEnum:
    case Kind::kEnum64:
    case Kind::kDatasec:
      return fmt::format("size={} vlen={}", t.size, t.vlen);
    case Kind::kFwd:
      return t.kind_flag ? "union" : "struct";
    case Kind::kFuncProto:
      return fmt::format("return={} vlen={}", t.type, t.vlen);
    case Kind::kVar:
      return fmt::format("type_id={} linkage={}", t.type, btf.tail<std::uint32_t>(id));
    case Kind::kDeclTag:
      return fmt::format("type={} component_idx={}", t.type, btf.tail<std::int32_t>(id));
    case Kind::kFloat:
      return fmt::format("size={}", t.size);
    case Kind::kPtr:
    case Kind::kTypedef:
    case Kind::kVolatile:
    case Kind::kConst:
    case Kind::kRestrict:
    case Kind::kTypeTag:
    case Kind::kFunc:
    case Kind::kUnkn:
      return fmt::format("type_id={}", third);
  }
  return {};
}

std::string record_line(const Btf::Impl& btf, TypeId id) {
  const Type& t = *btf.type(id);
  return fmt::format("[{}] {} {} {}", id, kind_row(t.kind).text, t.name.empty() ? "(anon)" : t.name,
                     details(btf, id, t));
}

using Check = Result<void> (*)(const Checker&, TypeId, const RawType&);
constexpr std::array<Check, kKindCount> kChecks = {
    nullptr,          // void has no record
    check_int,        // kInt
    check_reference,  // kPtr
    check_array,      // kArray
    check_struct,     // kStruct
    check_struct,     // kUnion
    check_enum,       // kEnum
    check_forward,    // kFwd
    check_reference,  // kTypedef
    check_reference,  // kVolatile
    check_reference,  // kConst
    check_reference,  // kRestrict
    check_func,       // kFunc
    check_func_proto, // kFuncProto
    check_var,        // kVar
    check_datasec,    // kDatasec
    check_float,      // kFloat
    check_decl_tag,   // kDeclTag
    check_reference,  // kTypeTag
    check_enum64,     // kEnum64
};

}  // namespace

Errno Checker::refuse(TypeId id, std::string_view rule, Errno e) const {
  log.write(fmt::format("{} {}\n", record_line(btf, id), rule));
  return e;
}

Errno Checker::refuse_member(TypeId id, std::uint32_t index, std::string_view rule) const {
  const auto m = btf.element<RawMember>(id, index);
  const std::string_view name = btf.string(m.name_off);
  std::string place = fmt::format("bits_offset={}", m.offset);
  if (btf.type(id)->kind_flag)
    place = fmt::format("bitfield_size={} bits_offset={}", m.offset >> 24, m.offset & 0xffffff);
  log.write(fmt::format("{}\n\t{} type_id={} {} {}\n", record_line(btf, id), name.empty() ? "(anon)" : name, m.type,
                        place, rule));
  return Errno::kInval;
}

Result<void> Checker::no_name(TypeId id, const RawType& raw) const {
  if (raw.name_off != 0) return refuse(id, "Invalid name");
  return {};
}

Result<void> Checker::optional_name(TypeId id, const RawType& raw) const {
  if (raw.name_off != 0 && !is_identifier(btf.string(raw.name_off))) return refuse(id, "Invalid name");
  return {};
}

Result<void> Checker::needs_name(TypeId id, const RawType& raw) const {
  if (raw.name_off == 0 || !is_identifier(btf.string(raw.name_off))) return refuse(id, "Invalid name");
  return {};
}

Result<void> check_record(const Checker& c, TypeId id, const RawType& raw) { return kChecks[raw.kind()](c, id, raw); }

}  // namespace ring3::btf
