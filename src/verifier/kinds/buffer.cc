// Buffers whose size the program's load does not tell: the key and the value that an iterator over a map's elements shows.
// Each access stands at a constant offset, and the furthest byte touched is remembered.
//
// Soundness: the size is checked where it is known. A link of such a program to a map is refused when the program reaches
// beyond that map's keys or values (iter/iter_link.cc), and without a link it never runs.
#include <algorithm>

#include "verifier/kinds/access.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {

Result<void> touch_buffer(Step& step, unsigned regno, std::int32_t off, std::uint32_t size) {
  const RegState& reg = step.reg(regno);
  if (off < 0) return step.diag.refuse(Rule::kMinNegative, {regno});
  if (!reg.val.is_const(0)) return step.diag.refuse(Rule::kTpBufferVariable, {regno, off, tnum_text(reg.val)});
  std::uint32_t& furthest = reg.has(model::kReadOnly) ? step.out.max_rdonly_access : step.out.max_rdwr_access;
  furthest = std::max(furthest, static_cast<std::uint32_t>(off) + size);
  return {};
}

Result<void> access_buffer(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  if (access.write && reg.has(model::kReadOnly))
    return step.diag.refuse(Rule::kReadOnlyMem, {access.base, kind_name(reg)});
  RING3_TRY(touch_buffer(step, access.base, off, access.size));
  if (!access.write) load_unknown(step, access);
  return {};
}

}  // namespace ring3::verifier
