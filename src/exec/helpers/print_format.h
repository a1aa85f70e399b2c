// Prints a model::PrintfParser format with arguments from a program.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "ring3/result.h"

namespace ring3::exec {

/// Prints into `out`, cut to fit and, when there is room for anything, ended with NUL.
/// format: as the program passes it, with its NUL inside. String and address arguments are read as untrusted memory;
/// unreadable strings print as "", addresses as zeros. Returns the length without NUL that an endless `out`
/// would have taken. Errors: kInval the format, see model/printf_format.h.
Result<std::size_t> print_format(std::span<char> out, std::string_view format, std::span<const std::uint64_t> args);

}  // namespace ring3::exec
