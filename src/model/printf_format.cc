#include "model/printf_format.h"

#include "base/try.h"

namespace ring3::model {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_print(char c) { return c >= ' ' && c <= '~'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_text(char c) { return is_print(c) || is_space(c); }
/// What may stand behind %s and %p: the end, white space or punctuation.
bool ends_conversion(char c) { return c == '\0' || is_space(c) || (is_print(c) && !is_letter(c) && !is_digit(c)); }

constexpr std::uint32_t kMaxWidth = 1024;  // nothing longer is ever printed

}  // namespace

Result<std::optional<PrintfPiece>> PrintfParser::next() {
  if (rest_.empty()) return std::optional<PrintfPiece>{};
  if (peek() == '%' && peek(1) != '%') {
    rest_.remove_prefix(1);
    return conversion();
  }
  std::size_t length = 0;
  if (peek() == '%') {  // "%%" is one '%'
    PrintfPiece percent{.text = rest_.substr(0, 1)};
    rest_.remove_prefix(2);
    return std::optional<PrintfPiece>{percent};
  }
  while (length < rest_.size() && rest_[length] != '%') {
    if (!is_text(rest_[length])) return Errno::kInval;
    ++length;
  }
  PrintfPiece text{.text = rest_.substr(0, length)};
  rest_.remove_prefix(length);
  return std::optional<PrintfPiece>{text};
}

Result<std::optional<PrintfPiece>> PrintfParser::conversion() {
  if (args_ == 0) return Errno::kInval;
  --args_;
  PrintfPiece piece;
  for (bool flags = true; flags;) {
    switch (peek()) {
      case '0': piece.zero_pad = true; break;
      case '+': piece.plus = true; break;
      case '-': piece.left = true; break;
      case ' ': piece.space = true; break;
      default: flags = false; continue;
    }
    rest_.remove_prefix(1);
  }
  for (; is_digit(peek()); rest_.remove_prefix(1))
    if (piece.width < kMaxWidth) piece.width = piece.width * 10 + static_cast<std::uint32_t>(peek() - '0');

  switch (peek()) {
    case 'p':
      RING3_TRY(pointer(piece));
      break;
    case 's':
      if (!ends_conversion(peek(1))) return Errno::kInval;
      piece.kind = PrintfPiece::Kind::kString;
      rest_.remove_prefix(1);
      break;
    case 'c':
      piece.kind = PrintfPiece::Kind::kChar;
      rest_.remove_prefix(1);
      break;
    default:
      RING3_TRY(integer(piece));
  }
  return std::optional<PrintfPiece>{piece};
}

/// At 'p'.
Result<void> PrintfParser::pointer(PrintfPiece& piece) {
  using Kind = PrintfPiece::Kind;
  const char kind = peek(1);
  if ((kind == 'k' || kind == 'u') && peek(2) == 's') {
    if (!ends_conversion(peek(3))) return Errno::kInval;
    piece.kind = Kind::kString;
    rest_.remove_prefix(3);
    return {};
  }
  if (ends_conversion(kind)) {
    piece.kind = Kind::kHashedPointer;
    rest_.remove_prefix(1);
    return {};
  }
  if ((kind == 'i' || kind == 'I') && (peek(2) == '4' || peek(2) == '6')) {
    piece.kind = peek(2) == '4' ? Kind::kIpv4 : Kind::kIpv6;
    piece.upper_case = kind == 'I';
    rest_.remove_prefix(3);
    return {};
  }
  switch (kind) {
    case 'K': piece.kind = Kind::kHashedPointer; break;
    case 'x': piece.kind = Kind::kRawPointer; break;
    case 'B':
    case 's':
    case 'S': piece.kind = Kind::kSymbol; break;
    default: return Errno::kInval;
  }
  rest_.remove_prefix(2);
  return {};
}

/// At a length modifier or a letter.
Result<void> PrintfParser::integer(PrintfPiece& piece) {
  piece.kind = PrintfPiece::Kind::kInteger;
  for (int l = 0; l < 2 && peek() == 'l'; ++l) {
    piece.bytes = 8;
    rest_.remove_prefix(1);
  }
  switch (peek()) {
    case 'd':
    case 'i': piece.is_signed = true; break;
    case 'u': break;
    case 'X': piece.upper_case = true; [[fallthrough]];
    case 'x': piece.base = 16; break;
    default: return Errno::kInval;
  }
  rest_.remove_prefix(1);
  return {};
}

Result<void> check_printf_format(std::string_view format, std::uint32_t args) {
  const std::size_t end = format.find('\0');
  if (end == std::string_view::npos) return Errno::kInval;
  PrintfParser parser(format.substr(0, end), args);
  for (;;) {
    const std::optional<PrintfPiece> piece = RING3_TRY(parser.next());
    if (!piece) return {};
  }
}

}  // namespace ring3::model
