#include "verifier/kinds/stack_object.h"

#include "verifier/kinds/access.h"

namespace ring3::verifier {

Result<StackPlace> stack_place(Step& step, unsigned regno, std::uint32_t slots, std::string_view what) {
  const RegState& reg = step.reg(regno);
  if (!reg.val.is_const()) return step.diag.refuse(Rule::kObjectOffset, {what});
  const std::int64_t off = static_cast<std::int64_t>(reg.val.const_value()) + reg.off;
  const std::int64_t lowest = -static_cast<std::int64_t>(step.prog.limits.max_stack_bytes);
  if (off % kSlotBytes != 0 || off < lowest || off + std::int64_t{slots} * kSlotBytes > 0)
    return step.diag.refuse(Rule::kObjectMisplaced, {what, off});
  return StackPlace{reg.frameno, static_cast<std::uint32_t>((-off - 1) / kSlotBytes), slots};
}

Result<void> write_stack_place(Step& step, unsigned regno, const StackPlace& place) {
  for (std::uint32_t i = 0; i < place.count; ++i) {
    const Access access{.base = regno, .size = kSlotBytes, .write = true};
    RING3_TRY(access_stack(step, access, step.reg(regno).off + static_cast<std::int32_t>(i) * kSlotBytes));
  }
  return {};
}

}  // namespace ring3::verifier
