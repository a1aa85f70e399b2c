// The format strings of bpf_trace_printk, bpf_trace_vprintk, bpf_snprintf and bpf_seq_printf, cut into pieces.
// The verifier checks constant formats with it, the helpers print with it, so that they cannot differ.
//
//   %% %c %s %pks %pus  %p %pK %px %pB %ps %pS  %pi4 %pI4 %pi6 %pI6
//   %[0+- ][width]{,l,ll}{d,i,u,x,X}
//
// Only printable ASCII and white space; %s, %p… end at a non-letter. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "ring3/result.h"

namespace ring3::model {

inline constexpr std::uint32_t kMaxPrintfArgs = 12;

struct PrintfPiece {
  enum class Kind : std::uint8_t {
    kText,         // `text`, no argument
    kInteger,
    kChar,
    kString,
    kHashedPointer,  // %p, %pK: equal pointers look equal, nothing else is told
    kRawPointer,     // %px
    kSymbol,         // %ps, %pS, %pB
    kIpv4, kIpv6,    // argument points to 4, 16 bytes
  } kind = Kind::kText;
  std::string_view text;
  std::uint8_t bytes = 4;      // kInteger: how much of the argument counts
  bool is_signed = false;
  bool upper_case = false;
  std::uint8_t base = 10;
  bool zero_pad = false, left = false, plus = false, space = false;
  std::uint32_t width = 0;
};

/// Yields the pieces of one format in order.
class PrintfParser {
 public:
  /// args: how many arguments there are.
  PrintfParser(std::string_view format, std::uint32_t args) : rest_(format), args_(args) {}

  /// The next piece, nullopt at the end. Errors: kInval a character or conversion that is not allowed, or
  /// more conversions than arguments. After an error: do not go on.
  Result<std::optional<PrintfPiece>> next();

 private:
  Result<std::optional<PrintfPiece>> conversion();
  Result<void> pointer(PrintfPiece& piece);
  Result<void> integer(PrintfPiece& piece);
  char peek(std::size_t i = 0) const { return i < rest_.size() ? rest_[i] : '\0'; }

  std::string_view rest_;
  std::uint32_t args_;
};

/// format: what the program passes, with its NUL somewhere inside. Errors: kInval as above, or no NUL.
Result<void> check_printf_format(std::string_view format, std::uint32_t args);

}  // namespace ring3::model
