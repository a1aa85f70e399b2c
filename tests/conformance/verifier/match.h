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

}  // namespace ring3::conformance
