// Reads words, numbers and registers out of one line of assembler text. A read that fails moves nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <string_view>

#include "isa/insn.h"

namespace ring3::isa {

struct ParsedNumber {
  std::uint64_t magnitude = 0;
  bool negative = false;
  bool hexadecimal = false;

  /// Two's complement.
  std::uint64_t bits() const { return negative ? 0 - magnitude : magnitude; }
  /// In [-2^63, 2^63).
  bool fits_signed() const { return magnitude < (std::uint64_t{1} << 63) + (negative ? 1 : 0); }
  /// As an int32 or as a uint32 with the same bits.
  bool fits_32() const { return negative ? magnitude <= std::uint64_t{1} << 31 : magnitude <= 0xffffffff; }
};

class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }

  void skip_space() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t')) rest_.remove_prefix(1);
  }

  bool at_end() {
    skip_space();
    return rest_.empty();
  }

  bool literal(char c) {
    skip_space();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool literal(std::string_view word) {
    skip_space();
    if (rest_.substr(0, word.size()) != word) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  /// Letters, digits, '_' and '.', not starting with a digit. Empty: none.
  std::string_view word() {
    skip_space();
    std::size_t n = 0;
    while (n < rest_.size() && (is_letter(rest_[n]) || (n > 0 && is_digit(rest_[n])))) ++n;
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }

  /// [+-] decimal or 0x hexadecimal; space is allowed after the sign.
  bool number(ParsedNumber& out) {
    TextCursor at = *this;
    at.skip_space();
    ParsedNumber parsed;
    if (at.literal('-')) parsed.negative = true;
    else at.literal('+');
    at.skip_space();
    parsed.hexadecimal = at.rest_.substr(0, 2) == "0x" || at.rest_.substr(0, 2) == "0X";
    if (parsed.hexadecimal) at.rest_.remove_prefix(2);
    const char* const end = at.rest_.data() + at.rest_.size();
    const auto result = std::from_chars(at.rest_.data(), end, parsed.magnitude, parsed.hexadecimal ? 16 : 10);
    if (result.ec != std::errc{}) return false;
    at.rest_.remove_prefix(static_cast<std::size_t>(result.ptr - at.rest_.data()));
    if (!at.rest_.empty() && is_letter(at.rest_.front())) return false;
    *this = at;
    out = parsed;
    return true;
  }

  /// prefix then 0 … 10.
  bool reg(char prefix, std::uint8_t& out) {
    TextCursor at = *this;
    ParsedNumber number;
    if (!at.literal(prefix) || at.rest_.empty() || !is_digit(at.rest_.front()) || !at.number(number)) return false;
    if (number.hexadecimal || number.magnitude >= kRegCount) return false;
    *this = at;
    out = static_cast<std::uint8_t>(number.magnitude);
    return true;
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.'; }

 private:
  std::string_view rest_;
};

}  // namespace ring3::isa
