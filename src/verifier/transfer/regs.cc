#include "verifier/transfer/regs.h"

#include <fmt/format.h>

#include "base/text_sink.h"
#include "verifier/domain/scalar_format.h"

namespace ring3::verifier {

Result<void> check_read(Step& step, unsigned regno) {
  step.diag.scratched.regs |= 1u << regno;
  if (regno >= isa::kRegCount) return step.diag.refuse(Rule::kRegInvalid, {regno});
  if (step.reg(regno).kind == RegKind::kNotInit) return step.diag.refuse(Rule::kNotReadable, {regno});
  return {};
}

Result<void> check_write(Step& step, unsigned regno) {
  step.diag.scratched.regs |= 1u << regno;
  if (regno >= isa::kRegCount) return step.diag.refuse(Rule::kRegInvalid, {regno});
  if (regno == isa::kFrameReg) return step.diag.refuse(Rule::kFrameReadOnly);
  step.reg(regno).written = true;
  return {};
}

void set_scalar(RegState& reg, const Scalar64& value) {
  const bool written = reg.written;
  reg = RegState{};
  reg.kind = RegKind::kScalar;
  reg.written = written;
  reg.val = value;
}
void set_unknown(RegState& reg) { set_scalar(reg, Scalar64::unknown()); }
void set_constant(RegState& reg, std::uint64_t value) { set_scalar(reg, Scalar64::constant(value)); }

void set_pointer(RegState& reg, RegKind kind, std::uint16_t flags) {
  const bool written = reg.written;
  reg = RegState{};
  reg.kind = kind;
  reg.flags = flags;
  reg.written = written;
  reg.val = Scalar64::constant(0);
}

void forget_caller_saved(Step& step) {
  for (unsigned i = 0; i <= 5; ++i) {
    step.reg(i) = RegState{};
    step.diag.scratched.regs |= 1u << i;
  }
}

bool is_null_constant(const RegState& reg) { return reg.is_scalar() && reg.val.is_const(0); }

bool leaks_pointer(const Step& step, unsigned regno) {
  return !step.prog.allow_ptr_leaks && !step.path.reg(regno).is_scalar();
}

std::string kind_name(const RegState& reg) { return model::kind_text(reg.kind, reg.flags); }

std::string tnum_text(const Scalar64& value) {
  StringSink out;
  if (value.is_const() && value.const_value() == 0) return "0";
  if (value.is_const()) out.write(fmt::format("{:#x}", value.const_value()));
  else write_tnum(out, value.var_off);
  return out.take();
}

unsigned value_bits(const RegState& reg) {
  const std::uint64_t most = reg.val.full.umax;
  return most <= 0xff ? 8 : most <= 0xffff ? 16 : most <= 0xffffffff ? 32 : 64;
}

void link_before_copy(Step& step, RegState& reg) {
  if (!reg.is_scalar() || reg.val.is_const()) return;
  // A copy of a value that is known relative to another one starts a group of its own.
  if (reg.delta_linked) unlink(reg);
  if (reg.id == 0) reg.id = step.search.new_id();
}

void unlink(RegState& reg) {
  reg.id = 0;
  reg.delta_linked = false;
  reg.delta = 0;
}

}  // namespace ring3::verifier
