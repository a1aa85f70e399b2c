// Comparing and parsing text.
#include <cstring>

#include "exec/helpers/rows.h"

namespace ring3::exec {
namespace {

/// As strncmp: the first string is `size` bytes at most, the second a constant with a NUL.
std::uint64_t compare(std::uint64_t first, std::uint64_t size, std::uint64_t second, std::uint64_t, std::uint64_t,
                      RunContext&) {
  const char* const a = pointer_register<char>(first);
  const char* const b = pointer_register<char>(second);
  for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(size); ++i) {
    if (a[i] != b[i]) return to_register(static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[i]) ? -1 : 1);
    if (a[i] == '\0') break;
  }
  return 0;
}

struct Parsed {
  std::uint64_t magnitude = 0;
  bool negative = false;
  long consumed = 0;  // bytes, or a negated errno
};

constexpr std::uint64_t kBaseMask = 0x1f;
constexpr std::size_t kMaxNumberBytes = 63;  // sign excluded; what is longer is cut there

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

unsigned digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f') return static_cast<unsigned>(lower - 'a') + 10;
  return 99;
}

/// Drops a "0x" or "0" that says which base it is, as C does for base 0.
unsigned drop_prefix(const char*& at, std::size_t& left, unsigned base) {
  const bool hex = left > 2 && at[0] == '0' && (at[1] | 0x20) == 'x' && digit_value(at[2]) < 16;
  if (base == 0) base = hex ? 16 : left > 0 && at[0] == '0' ? 8 : 10;
  if (base == 16 && hex) {
    at += 2;
    left -= 2;
  }
  return base;
}

Parsed parse(std::uint64_t buffer, std::uint64_t length, std::uint64_t flags) {
  const auto fail = [](Errno e) { return Parsed{.consumed = to_syscall(e)}; };
  unsigned base = static_cast<unsigned>(flags & kBaseMask);
  if ((flags & ~kBaseMask) != 0 || (base != 0 && base != 8 && base != 10 && base != 16)) return fail(Errno::kInval);
  const char* const start = pointer_register<char>(buffer);
  const char* at = start;
  std::size_t left = static_cast<std::uint32_t>(length);
  for (; left > 0 && is_space(*at); --left) ++at;
  Parsed out;
  if (left > 0 && *at == '-') {
    out.negative = true;
    ++at;
    --left;
  }
  if (left > kMaxNumberBytes) left = kMaxNumberBytes;
  base = drop_prefix(at, left, base);
  const char* const digits = at;
  for (; left > 0 && digit_value(*at) < base; --left, ++at) {
    if (__builtin_mul_overflow(out.magnitude, std::uint64_t{base}, &out.magnitude) ||
        __builtin_add_overflow(out.magnitude, std::uint64_t{digit_value(*at)}, &out.magnitude))
      return fail(Errno::kRange);
  }
  if (at == digits) return fail(Errno::kInval);
  out.consumed = at - start;
  return out;
}

std::uint64_t parse_signed(std::uint64_t buffer, std::uint64_t length, std::uint64_t flags, std::uint64_t result,
                           std::uint64_t, RunContext&) {
  const Parsed parsed = parse(buffer, length, flags);
  *pointer_register<std::uint64_t>(result) = 0;  // written whatever comes of it; it may lie in the text
  if (parsed.consumed < 0) return to_register(parsed.consumed);
  constexpr std::uint64_t kMax = INT64_MAX;
  if (parsed.magnitude > kMax + (parsed.negative ? 1 : 0)) return error_register(Errno::kRange);
  *pointer_register<std::uint64_t>(result) = parsed.negative ? 0 - parsed.magnitude : parsed.magnitude;
  return to_register(parsed.consumed);
}

std::uint64_t parse_unsigned(std::uint64_t buffer, std::uint64_t length, std::uint64_t flags, std::uint64_t result,
                             std::uint64_t, RunContext&) {
  const Parsed parsed = parse(buffer, length, flags);
  *pointer_register<std::uint64_t>(result) = 0;
  if (parsed.consumed < 0) return to_register(parsed.consumed);
  if (parsed.negative) return error_register(Errno::kInval);
  *pointer_register<std::uint64_t>(result) = parsed.magnitude;
  return to_register(parsed.consumed);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(strncmp, compare),
    RING3_HELPER(strtol, parse_signed),
    RING3_HELPER(strtoul, parse_unsigned),
};

}  // namespace

HelperRows text_helpers() { return kRows; }

}  // namespace ring3::exec
