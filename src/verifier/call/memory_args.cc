#include <algorithm>

#include "isa/helper_names.h"
#include "verifier/call/call.h"
#include "verifier/kinds/access.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

std::string helper_text(std::uint32_t id) {
  const std::string_view name = isa::helper_name(id);
  std::string text(name.empty() ? std::string_view("unknown") : name);
  text += '#';
  text += std::to_string(id);
  return text;
}

Result<void> check_sized_memory(Step& step, const SizedMemory& m, std::uint32_t* uninit_bytes) {
  RING3_TRY(check_read(step, m.size_reg));
  const RegState& size = step.reg(m.size_reg);
  if (!size.is_scalar()) return step.diag.refuse(Rule::kRegType, {m.size_reg, kind_name(size), "scalar"});
  if (smin(size) < 0) return step.diag.refuse(Rule::kSizeNegative, {m.size_reg});
  if (umin(size) == 0 && !m.zero_ok)
    return step.diag.refuse(Rule::kSizeZero, {m.size_reg, umin(size), umax(size)});
  if (umax(size) >= static_cast<std::uint64_t>(kMaxVarOff)) return step.diag.refuse(Rule::kSizeUnbounded, {m.size_reg});
  // Only a known number of bytes is known to be written.
  const bool uninit = m.uninit && size.val.is_const();
  const auto most = static_cast<std::uint32_t>(umax(size));
  const Purpose purpose = !m.write ? Purpose::kRead : m.uninit ? Purpose::kWrite : Purpose::kReadWrite;
  RING3_TRY(check_region(step, m.mem_reg, most, m.zero_ok, purpose, uninit));
  if (uninit_bytes != nullptr) *uninit_bytes = uninit ? most : 0;
  return step.search.mark_precise(step.path, m.size_reg);
}

Result<void> check_const_string(Step& step, unsigned regno) {
  const RegState& reg = step.reg(regno);
  const model::MapFacts& map = *step.prog.maps[reg.map];
  if (map.constant_value.empty()) return step.diag.refuse(Rule::kStringNotReadOnly, {regno});
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kStringNotConstant, {regno});
  const std::int64_t at = static_cast<std::int64_t>(reg.val.const_value()) + reg.off;
  RING3_TRY(check_region(step, regno, 1, false, Purpose::kRead, false));
  const auto text = map.constant_value.subspan(static_cast<std::size_t>(at));
  if (std::find(text.begin(), text.end(), std::byte{0}) == text.end())
    return step.diag.refuse(Rule::kStringNotTerminated);
  return {};
}

}  // namespace ring3::verifier
