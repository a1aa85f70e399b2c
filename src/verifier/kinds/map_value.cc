// Map values: bounds, read-only and write-only maps, special fields, constants of frozen maps.
#include <cstring>

#include "model/field_kinds.h"
#include "verifier/domain/scalar_alu.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/kptr_field.h"
#include "verifier/kinds/object.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

Result<void> check_rights(Step& step, const model::MapFacts& map, Purpose purpose, std::int32_t off, std::uint32_t size) {
  if (purpose != Purpose::kRead && !map.programs_may_write())
    return step.diag.refuse(Rule::kMapWriteForbidden, {map.value_size, off, size});
  if (purpose != Purpose::kWrite && !map.programs_may_read())
    return step.diag.refuse(Rule::kMapReadForbidden, {map.value_size, off, size});
  return {};
}

/// The kptr field that the access is at, or null. Of any other special field no byte may be touched, for any value of
/// the variable part; by callees not of kptrs either.
Result<const model::Field*> check_fields(Step& step, const RegState& reg, std::int32_t off, std::uint32_t size, bool by_callee) {
  const model::Field* kptr = nullptr;
  for (const model::Field& f : step.prog.maps[reg.map]->fields.fields) {
    const std::int64_t first = smin(reg) + off;
    const std::int64_t last = static_cast<std::int64_t>(umax(reg)) + off + size;
    if (first >= std::int64_t{f.off} + f.size || last <= std::int64_t{f.off}) continue;
    if (!model::is_kptr(f.kind)) return step.diag.refuse(Rule::kFieldDirect, {field_struct(f.kind)});
    if (by_callee) return step.diag.refuse(Rule::kKptrIndirect, {"kptr"});
    RING3_TRY(check_kptr_access(step, reg, f, off, size));
    kptr = &f;
  }
  return kptr;
}

Result<const model::Field*> check_value_bounds(Step& step, unsigned regno, std::int32_t off, std::uint32_t size, bool zero_ok,
                                               bool by_callee) {
  const RegState& reg = step.reg(regno);
  RING3_TRY(check_object_bounds(step, regno, off, size, step.prog.maps[reg.map]->value_size, zero_ok));
  return check_fields(step, reg, off, size, by_callee);
}

/// Frozen read-only memory reads as the constant it is.
bool load_constant(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  const model::MapFacts& map = *step.prog.maps[reg.map];
  if (map.constant_value.empty() || access.value == kNoReg || !reg.val.is_const()) return false;
  const std::uint64_t at = reg.val.const_value() + static_cast<std::uint64_t>(off);
  if (at + access.size > map.constant_value.size()) return false;
  std::uint64_t raw = 0;
  std::memcpy(&raw, map.constant_value.data() + at, access.size);
  const Scalar64 whole = Scalar64::constant(raw);
  set_scalar(step.reg(static_cast<unsigned>(access.value)),
             access.sign_extend ? sign_extend(whole, access.size * 8) : whole);
  return true;
}

}  // namespace

Result<void> access_map_value(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  const model::MapFacts& map = *step.prog.maps[reg.map];
  const Purpose purpose = access.write ? Purpose::kWrite : Purpose::kRead;
  RING3_TRY(check_rights(step, map, purpose, off, access.size));
  const model::Field* kptr = RING3_TRY(check_value_bounds(step, access.base, off, access.size, false, false));
  if (kptr != nullptr) return access_kptr(step, access, *kptr);
  if (!access.write && !load_constant(step, access, off)) load_unknown(step, access);
  return {};
}

Result<void> check_inside_map_value(Step& step, unsigned regno) {
  RING3_TRY(check_value_bounds(step, regno, step.reg(regno).off, 1, false, true));
  return {};
}

Result<void> region_in_map_value(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, Purpose purpose) {
  const RegState& reg = step.reg(regno);
  RING3_TRY(check_rights(step, *step.prog.maps[reg.map], purpose, reg.off, size));
  RING3_TRY(check_value_bounds(step, regno, reg.off, size, zero_ok, true));
  return {};
}

}  // namespace ring3::verifier
