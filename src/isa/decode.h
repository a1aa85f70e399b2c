// Raw slots to decoded instructions. Accepts exactly what Linux's field checks accept.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "isa/insn.h"
#include "ring3/result.h"

namespace ring3::isa {

/// Why a slot is no instruction: the kernel's errno and log line (without newline).
struct FieldError {
  std::uint32_t idx;
  Errno error;
  std::string message;
};

/// Checks opcodes and reserved fields of a program, in the kernel's order: first what it checks before it
/// walks the program (unknown opcodes, reserved fields of loads, structure of wide immediates), then the rest.
/// Jump targets, uninitialised registers and the like are the verifier's.
std::optional<FieldError> check_fields(std::span<const RawInsn> raw);

/// Values of immediates that are fine as fields but that Linux refuses when it reaches the instruction:
/// division by an immediate zero, a shift by an immediate out of range.
/// Returns the kernel's line, empty when there is nothing to object to. Errno: always kInval.
std::string check_immediate(const Insn& insn);

/// check_fields, then one Insn per slot. error: filled in when decoding fails; may be null.
/// Errors: the FieldError's; kInval for an empty program.
Result<std::vector<Insn>> decode(std::span<const RawInsn> raw, FieldError* error = nullptr);

}  // namespace ring3::isa
