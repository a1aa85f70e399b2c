#include "match.h"

#include <regex.h>

namespace ring3::conformance {

namespace {

/// The whole pattern as one regular expression: literal parts quoted, {{…}} parts in parentheses.
std::string to_regex(std::string_view pattern) {
  std::string out;
  while (!pattern.empty()) {
    const auto open = pattern.find("{{");
    for (const char c : pattern.substr(0, open)) {
      if (std::string_view("\\^$.[]|()*+?{}").find(c) != std::string_view::npos) out += '\\';
      out += c;
    }
    if (open == std::string_view::npos) break;
    const auto close = pattern.find("}}", open);
    if (close == std::string_view::npos) return out;
    out += '(';
    out += pattern.substr(open + 2, close - open - 2);
    out += ')';
    pattern.remove_prefix(close + 2);
  }
  return out;
}

/// Where pattern matches in text: false if nowhere.
bool find(const std::string& text, std::size_t from, std::string_view pattern, std::size_t& end) {
  if (pattern.find("{{") == std::string_view::npos) {
    const auto at = text.find(pattern, from);
    end = at + pattern.size();
    return at != std::string::npos;
  }
  regex_t regex;
  if (regcomp(&regex, to_regex(pattern).c_str(), REG_EXTENDED | REG_NEWLINE) != 0) return false;
  regmatch_t match;
  const bool found = regexec(&regex, text.c_str() + from, 1, &match, 0) == 0;
  if (found) end = from + static_cast<std::size_t>(match.rm_eo);
  regfree(&regex);
  return found;
}

}  // namespace

std::string missing_in_order(std::string_view text, const std::vector<std::string>& patterns) {
  const std::string all(text);
  std::size_t from = 0;
  for (const std::string& pattern : patterns)
    if (!find(all, from, pattern, from)) return pattern;
  return "";
}

std::string missing_literally(std::string_view text, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    const auto at = text.find(pattern);
    if (at == std::string_view::npos) return pattern;
    text.remove_prefix(at + pattern.size());
  }
  return "";
}

std::string missing_lines(std::string_view text, const std::vector<std::string>& patterns) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    lines.emplace_back(text.substr(0, newline));
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  }
  std::size_t at = 0, end = 0;
  bool anywhere = true;
  for (const std::string& pattern : patterns) {
    if (pattern == "...") {
      anywhere = true;
      continue;
    }
    const std::size_t last = anywhere ? lines.size() : at + 1;
    std::size_t line = at;
    while (line < last && line < lines.size() && !find(lines[line], 0, pattern, end)) ++line;
    if (line >= last || line >= lines.size()) return pattern;
    at = line + 1;
    anywhere = false;
  }
  return "";
}

}  // namespace ring3::conformance
