// Expected texts against what was printed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ring3::conformance {

/// Every pattern occurs in text, each after the end of the one before. A pattern is literal but for its
/// {{POSIX extended regular expression}} parts. Returns "" or the first pattern that is missing.
std::string missing_in_order(std::string_view text, const std::vector<std::string>& patterns);

/// As missing_in_order(), and patterns are literal throughout.
std::string missing_literally(std::string_view text, const std::vector<std::string>& patterns);

/// As missing_in_order() for lines: consecutive patterns match consecutive lines, unless a pattern is "...".
std::string missing_lines(std::string_view text, const std::vector<std::string>& patterns);

/// Without the line's end; "" of nothing.
std::string_view last_line(std::string_view text);

/// Whether a program was verified and then refused because the host lacks something it needs to run: the verdict
/// stands, results cannot be had.
bool lacks_only_host(std::string_view log);

}  // namespace ring3::conformance
