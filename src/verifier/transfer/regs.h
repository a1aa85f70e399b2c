// Reading and writing registers: the checks every instruction shares.
#pragma once

#include <string>

#include "verifier/verification.h"

namespace ring3::verifier {

/// The register holds something and may be read.
Result<void> check_read(Step& step, unsigned regno);
/// The register may be written; forgets what it held and marks it written.
Result<void> check_write(Step& step, unsigned regno);

void set_unknown(RegState& reg);
void set_constant(RegState& reg, std::uint64_t value);
void set_scalar(RegState& reg, const Scalar64& value);
/// A pointer with no variable part: kind and flags, payload 0.
void set_pointer(RegState& reg, RegKind kind, std::uint16_t flags = 0);
/// r0 … r5 of the current frame hold nothing after a call.
void forget_caller_saved(Step& step);

bool is_null_constant(const RegState& reg);
/// Pointer values may not reach where programs without rights can see them.
bool leaks_pointer(const Step& step, unsigned regno);

std::string kind_name(const RegState& reg);
std::string tnum_text(const Scalar64& value);

inline std::int64_t smin(const RegState& r) { return r.val.full.smin; }
inline std::int64_t smax(const RegState& r) { return r.val.full.smax; }
inline std::uint64_t umin(const RegState& r) { return r.val.full.umin; }
inline std::uint64_t umax(const RegState& r) { return r.val.full.umax; }
inline bool is_const_scalar(const RegState& r) { return r.is_scalar() && r.val.is_const(); }
/// Width in bits that the value fits into: 8, 16, 32 or 64.
unsigned value_bits(const RegState& reg);

/// Gives a scalar an id before it is copied, so that copies learn together.
void link_before_copy(Step& step, RegState& reg);
void unlink(RegState& reg);

/// Offsets beyond this are never sensible; sums of checked parts cannot wrap.
inline constexpr std::int64_t kMaxVarOff = std::int64_t{1} << 29;

}  // namespace ring3::verifier
