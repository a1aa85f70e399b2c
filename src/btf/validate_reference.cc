// Records that refer to one other type.
#include "base/try.h"
#include "btf/names.h"
#include "btf/validate.h"

namespace ring3::btf {
namespace {

bool is_type_id(std::uint32_t id) { return id <= kMaxTypeId; }

bool may_flag_tags(const Checker& c) { return c.origin == Origin::kHost; }

// An extern exists in object files only; loaders turn it into a global.
std::uint32_t last_linkage(const Checker& c) {
  return static_cast<std::uint32_t>(c.origin == Origin::kObjectFile ? Linkage::kExtern : Linkage::kGlobal);
}

}  // namespace

Result<void> check_reference(const Checker& c, TypeId id, const RawType& raw) {
  const auto kind = static_cast<Kind>(raw.kind());
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.kind_flag() && !(kind == Kind::kTypeTag && may_flag_tags(c)))
    return c.refuse(id, "Invalid btf_info kind_flag");
  if (!is_type_id(raw.size_or_type)) return c.refuse(id, "Invalid type_id");
  if (kind == Kind::kTypedef) return c.needs_name(id, raw);
  if (kind != Kind::kTypeTag) return c.no_name(id, raw);
  if (c.btf.string(raw.name_off).empty()) return c.refuse(id, "Invalid name");
  return {};
}

Result<void> check_forward(const Checker& c, TypeId id, const RawType& raw) {
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.size_or_type != 0) return c.refuse(id, "type != 0");
  return c.needs_name(id, raw);
}

Result<void> check_func(const Checker& c, TypeId id, const RawType& raw) {
  RING3_TRY(c.needs_name(id, raw));
  if (raw.vlen() > last_linkage(c)) return c.refuse(id, "Invalid func linkage");
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  return {};
}

Result<void> check_var(const Checker& c, TypeId id, const RawType& raw) {
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.kind_flag()) return c.refuse(id, "Invalid btf_info kind_flag");
  RING3_TRY(c.needs_name(id, raw));
  if (raw.size_or_type == kVoid || !is_type_id(raw.size_or_type)) return c.refuse(id, "Invalid type_id");
  if (c.btf.tail<std::uint32_t>(id) > last_linkage(c)) return c.refuse(id, "Linkage not supported");
  return {};
}

Result<void> check_decl_tag(const Checker& c, TypeId id, const RawType& raw) {
  if (c.btf.string(raw.name_off).empty()) return c.refuse(id, "Invalid value");
  if (raw.vlen() != 0) return c.refuse(id, "vlen != 0");
  if (raw.kind_flag() && !may_flag_tags(c)) return c.refuse(id, "Invalid btf_info kind_flag");
  if (c.btf.tail<std::int32_t>(id) < -1) return c.refuse(id, "Invalid component_idx");
  return {};
}

}  // namespace ring3::btf
