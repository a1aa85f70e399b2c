// Field checks. The order is the kernel's, because the first violation is what a client sees: one walk for
// opcodes, loads and wide immediates, then one for everything else; in a slot, reserved fields come before
// register numbers, and the source register before the destination.
#include <fmt/format.h>

#include "isa/decode.h"
#include "isa/rows.h"

namespace ring3::isa {
namespace {

constexpr std::uint8_t kClassMask = 0x07;
constexpr std::uint8_t kClassLdx = 0x01;
constexpr std::uint8_t kModeMask = 0xe0;
constexpr std::uint8_t kModeMem = 0x60;
constexpr std::uint8_t kModeMemsx = 0x80;
constexpr std::uint8_t kCodeLdImm64 = 0x18;

FieldError error_at(std::size_t idx, std::string message) {
  return {static_cast<std::uint32_t>(idx), Errno::kInval, std::move(message)};
}

bool second_slot_is_blank(std::span<const RawInsn> raw, std::size_t idx) {
  if (idx + 1 >= raw.size()) return false;
  const RawInsn& hi = raw[idx + 1];
  return hi.code == 0 && hi.dst == 0 && hi.src == 0 && hi.off == 0;
}

/// A pseudo source Linux knows, with the upper slot it wants.
bool wide_source_is_known(std::span<const RawInsn> raw, std::size_t idx) {
  const Row& row = kRows[static_cast<std::size_t>(find_row(raw[idx]))];
  if (row.src.role == Role::kNone) return raw[idx].src == 0;
  return row.imm.role != Role::kLow || raw[idx + 1].imm == 0;
}

std::optional<FieldError> check_opcodes(std::span<const RawInsn> raw) {
  for (std::size_t idx = 0; idx < raw.size(); ++idx) {
    const RawInsn& insn = raw[idx];
    const unsigned mode = insn.code & kModeMask;
    if ((insn.code & kClassMask) == kClassLdx && ((mode != kModeMem && mode != kModeMemsx) || insn.imm != 0))
      return error_at(idx, "BPF_LDX uses reserved fields");
    if (insn.code == kCodeLdImm64) {
      if (!second_slot_is_blank(raw, idx)) return error_at(idx, "invalid bpf_ld_imm64 insn");
      if (!wide_source_is_known(raw, idx)) return error_at(idx, "unrecognized bpf_ld_imm64 insn");
      ++idx;
      continue;
    }
    if (!is_known_code(insn.code)) return error_at(idx, fmt::format("unknown opcode {:02x}", insn.code));
  }
  return std::nullopt;
}

bool field_is_legal(Field field, std::int32_t value) {
  switch (field.role) {
    case Role::kNone: case Role::kZero: return value == 0;
    case Role::kWidth: return value == 16 || value == 32 || value == 64;
    case Role::kSpaces: return value == 1 || value == 1 << 16;
    case Role::kIs: return value == field.value;
    case Role::kRead: case Role::kWrite: case Role::kReadWrite: case Role::kMem: case Role::kJump:
    case Role::kAny: case Role::kValue: case Role::kLow: return true;
  }
  return false;
}

std::string reserved_message(Form form, const RawInsn& raw) {
  switch (form) {
    case Form::kAlu: return "BPF_ALU uses reserved fields";
    case Form::kNeg: return "BPF_NEG uses reserved fields";
    case Form::kMov: return "BPF_MOV uses reserved fields";
    case Form::kAddrSpace: return "addr_space_cast insn can only convert between address space 1 and 0";
    case Form::kEnd: return "BPF_END uses reserved fields";
    case Form::kJa: return "BPF_JA uses reserved fields";
    case Form::kJump: return "BPF_JMP/JMP32 uses reserved fields";
    case Form::kMayGoto: return fmt::format("invalid may_goto imm {}", raw.imm);
    case Form::kCall: return "BPF_CALL uses reserved fields";
    case Form::kExit: return "BPF_EXIT uses reserved fields";
    case Form::kLdx: return "BPF_LDX uses reserved fields";
    case Form::kSt: return "BPF_ST uses reserved fields";
    case Form::kStx: return "BPF_STX uses reserved fields";
    case Form::kLdImm64: case Form::kLdImm64Hi: return "BPF_LD_IMM64 uses reserved fields";
    case Form::kLdSkb: return "BPF_LD_[ABS|IND] uses reserved fields";
    case Form::kAtomic:
      return fmt::format("BPF_ATOMIC uses invalid atomic opcode {:02x}", static_cast<std::uint32_t>(raw.imm));
  }
  return {};
}

std::optional<FieldError> check_slot(const RawInsn& raw, std::size_t idx) {
  const int found = find_row(raw);
  // Only atomics have no plain row, so that is what an unselected slot is.
  if (found < 0) return error_at(idx, reserved_message(Form::kAtomic, raw));
  const Row& row = kRows[static_cast<std::size_t>(found)];
  if (!field_is_legal(row.dst, raw.dst) || !field_is_legal(row.src, raw.src) || !field_is_legal(row.off, raw.off) ||
      !field_is_legal(row.imm, raw.imm))
    return error_at(idx, reserved_message(row.form, raw));
  if (row.src.is_register() && raw.src >= kRegCount) return error_at(idx, fmt::format("R{} is invalid", +raw.src));
  if (row.dst.is_register() && raw.dst >= kRegCount) return error_at(idx, fmt::format("R{} is invalid", +raw.dst));
  return std::nullopt;
}

}  // namespace

std::optional<FieldError> check_fields(std::span<const RawInsn> raw) {
  if (auto error = check_opcodes(raw)) return error;
  for (std::size_t idx = 0; idx < raw.size(); ++idx) {
    if (auto error = check_slot(raw[idx], idx)) return error;
    if (raw[idx].code == kCodeLdImm64) ++idx;
  }
  return std::nullopt;
}

std::string check_immediate(const Insn& insn) {
  if (insn.src_is_reg) return {};
  switch (insn.op) {
    case Op::kDiv: case Op::kSdiv: case Op::kMod: case Op::kSmod:
      return insn.imm == 0 ? "div by zero" : "";
    case Op::kLsh: case Op::kRsh: case Op::kArsh:
      return insn.imm < 0 || insn.imm >= insn.bits ? fmt::format("invalid shift {}", insn.imm) : "";
    default: return {};
  }
}

}  // namespace ring3::isa
