#include "exec/helpers/print_format.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/try.h"
#include "exec/fault.h"
#include "model/printf_format.h"

namespace ring3::exec {
namespace {

using model::PrintfPiece;

constexpr std::size_t kMaxString = 512;  // bytes of one %s

/// Counts everything, keeps what fits.
class Output {
 public:
  explicit Output(std::span<char> out) : out_(out) {}
  void put(char c) {
    if (length_ + 1 < out_.size()) out_[length_] = c;
    ++length_;
  }
  void put(std::string_view text) {
    for (const char c : text) put(c);
  }
  void fill(char c, std::size_t count) {
    for (; count > 0; --count) put(c);
  }
  std::size_t finish() {
    if (!out_.empty()) out_[std::min(length_, out_.size() - 1)] = '\0';
    return length_;
  }

 private:
  std::span<char> out_;
  std::size_t length_ = 0;
};

void put_padded(Output& out, const PrintfPiece& piece, std::string_view prefix, std::string_view text) {
  const std::size_t length = prefix.size() + text.size();
  const std::size_t padding = piece.width > length ? piece.width - length : 0;
  const bool zeros = piece.zero_pad && !piece.left;
  if (!piece.left && !zeros) out.fill(' ', padding);
  out.put(prefix);
  if (zeros) out.fill('0', padding);
  out.put(text);
  if (piece.left) out.fill(' ', padding);
}

/// Digits of value into the end of `buffer`.
std::string_view digits(std::span<char, 24> buffer, std::uint64_t value, unsigned base, bool upper_case) {
  const char* const symbols = upper_case ? "0123456789ABCDEF" : "0123456789abcdef";
  std::size_t at = buffer.size();
  do {
    buffer[--at] = symbols[value % base];
    value /= base;
  } while (value != 0);
  return {&buffer[at], buffer.size() - at};
}

void put_integer(Output& out, const PrintfPiece& piece, std::uint64_t value) {
  bool negative = false;
  if (piece.is_signed) {
    const std::int64_t number = piece.bytes == 4 ? static_cast<std::int32_t>(value) : static_cast<std::int64_t>(value);
    negative = number < 0;
    value = negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  } else if (piece.bytes == 4) {
    value = static_cast<std::uint32_t>(value);
  }
  std::string_view sign;
  if (piece.is_signed) sign = negative ? "-" : piece.plus ? "+" : piece.space ? " " : "";
  char buffer[24];
  put_padded(out, piece, sign, digits(buffer, value, piece.base, piece.upper_case));
}

void put_address(Output& out, std::uint64_t value) {
  char buffer[24];
  const std::string_view hex = digits(buffer, value, 16, false);
  out.fill('0', 16 - hex.size());
  out.put(hex);
}

/// Equal pointers print alike; the value is not told, and differs from process to process.
std::uint64_t hashed(std::uint64_t pointer) {
  static const std::uint64_t key = [] {
    std::uint64_t k = 0;
    if (getrandom(&k, sizeof(k), GRND_NONBLOCK) != static_cast<ssize_t>(sizeof(k))) k = 0x9e3779b97f4a7c15;
    return k | 1;
  }();
  if (pointer == 0) return 0;
  std::uint64_t z = (pointer ^ key) * 0xff51afd7ed558ccd;
  z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53 + key;
  return (z ^ (z >> 29)) >> 32;
}

void put_string(Output& out, const PrintfPiece& piece, std::uint64_t address) {
  char text[kMaxString];
  const long length = copy_untrusted_string(text, address, sizeof(text));
  PrintfPiece plain = piece;
  plain.zero_pad = false;
  put_padded(out, plain, "", length > 0 ? std::string_view(text, static_cast<std::size_t>(length - 1)) : "");
}

/// %pi4 pads the numbers to three digits, %pI4 does not.
void put_ipv4(Output& out, const PrintfPiece& piece, std::uint64_t address) {
  std::uint8_t bytes[4] = {};
  if (!copy_untrusted(bytes, address, sizeof(bytes))) std::memset(bytes, 0, sizeof(bytes));
  for (int i = 0; i < 4; ++i) {
    char buffer[24];
    const std::string_view number = digits(buffer, bytes[i], 10, false);
    if (i > 0) out.put('.');
    if (!piece.upper_case) out.fill('0', 3 - number.size());
    out.put(number);
  }
}

/// %pI6 with colons, %pi6 without.
void put_ipv6(Output& out, const PrintfPiece& piece, std::uint64_t address) {
  std::uint8_t bytes[16] = {};
  if (!copy_untrusted(bytes, address, sizeof(bytes))) std::memset(bytes, 0, sizeof(bytes));
  for (std::size_t i = 0; i < sizeof(bytes); ++i) {
    char buffer[24];
    const std::string_view hex = digits(buffer, bytes[i], 16, false);
    if (piece.upper_case && i > 0 && i % 2 == 0) out.put(':');
    out.fill('0', 2 - hex.size());
    out.put(hex);
  }
}

void put_symbol(Output& out, std::uint64_t address) {
  char buffer[24];
  out.put("0x");  // the host has no symbol table for programs; this is what a kernel without one prints
  out.put(digits(buffer, address, 16, false));
}

void put_argument(Output& out, const PrintfPiece& piece, std::uint64_t value) {
  switch (piece.kind) {
    case PrintfPiece::Kind::kText: return;
    case PrintfPiece::Kind::kInteger: return put_integer(out, piece, value);
    case PrintfPiece::Kind::kChar: return out.put(static_cast<char>(value));
    case PrintfPiece::Kind::kString: return put_string(out, piece, value);
    case PrintfPiece::Kind::kHashedPointer: return put_address(out, hashed(value));
    case PrintfPiece::Kind::kRawPointer: return put_address(out, value);
    case PrintfPiece::Kind::kSymbol: return put_symbol(out, value);
    case PrintfPiece::Kind::kIpv4: return put_ipv4(out, piece, value);
    case PrintfPiece::Kind::kIpv6: return put_ipv6(out, piece, value);
  }
}

}  // namespace

Result<std::size_t> print_format(std::span<char> out, std::string_view format, std::span<const std::uint64_t> args) {
  // The whole format is checked before anything is printed.
  const std::uint32_t count = static_cast<std::uint32_t>(args.size());
  RING3_TRY(model::check_printf_format(format, count));
  Output output(out);
  model::PrintfParser parser(format.substr(0, format.find('\0')), count);
  std::size_t next_arg = 0;
  for (;;) {
    const std::optional<PrintfPiece> piece = RING3_TRY(parser.next());
    if (!piece) return output.finish();
    if (piece->kind == PrintfPiece::Kind::kText)
      output.put(piece->text);
    else
      put_argument(output, *piece, args[next_arg++]);
  }
}

}  // namespace ring3::exec
