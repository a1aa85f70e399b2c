#include "tests/support/case_file.h"

#include <algorithm>
#include <regex.h>

namespace ring3::test {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool starts_with(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

constexpr std::string_view kSections[] = {"asm",        "verdict", "log",    "report", "verdict-unpriv", "log-unpriv",
                                          "xlated",     "run",     "xfail"};
constexpr std::string_view kKeys[] = {"prog-type", "attach-type", "flags", "rights", "license", "log-level", "map",
                                      "changed-after", "kernel-accepts"};

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

class Parser {
 public:
  Parser(CaseFile& out, std::string& error) : out_(out), error_(error) {}

  bool run() {
    for (at_ = 0; at_ < out_.lines.size(); ++at_)
      if (!line(out_.lines[at_])) return false;
    close_section();
    return finish_case() && (!out_.cases.empty() || fail("no cases: a case starts with \"=== name\""));
  }

 private:
  bool fail(const std::string& what) {
    error_ = std::to_string(at_ + 1) + ": " + what;
    return false;
  }

  bool line(std::string_view text) {
    if (starts_with(text, "=== ")) return new_case(trimmed(text.substr(4)));
    if (starts_with(text, "-- ")) return new_section(trimmed(text.substr(3)));
    if (in_section_) return body_line(text);
    const std::string_view content = trimmed(text);
    if (content.empty() || content.front() == '#') return true;
    return key_line(content);
  }

  bool new_case(std::string_view name) {
    close_section();
    if (!finish_case()) return false;
    if (name.empty()) return fail("a case needs a name");
    for (const Case& c : out_.cases)
      if (c.name == name) return fail("two cases have this name");
    out_.cases.push_back({std::string(name), at_, file_keys_, {}});
    return true;
  }

  bool finish_case() {
    if (!out_.cases.empty() && out_.cases.back().section("asm") == nullptr) return fail("the case above has no asm");
    return true;
  }

  bool new_section(std::string_view heading) {
    close_section();
    if (out_.cases.empty()) return fail("a section before the first case");
    const std::size_t space = heading.find(' ');
    const std::string name(heading.substr(0, space));
    if (!is_one_of(name, kSections)) return fail("no such section: " + name);
    if (out_.cases.back().section(name) != nullptr) return fail("section stands twice: " + name);
    const std::string_view argument = space == std::string_view::npos ? "" : trimmed(heading.substr(space));
    if (name == "xfail" && argument.empty()) return fail("xfail needs a reason");
    out_.cases.back().sections.push_back({name, std::string(argument), {}, at_, at_ + 1});
    in_section_ = true;
    return true;
  }

  bool body_line(std::string_view text) {
    CaseSection& section = out_.cases.back().sections.back();
    const std::string_view content = trimmed(text);
    if (!content.empty()) section.end = at_ + 1;
    // asm keeps its lines, so that the assembler's line numbers are right.
    if (section.name == "asm") section.body.emplace_back(text);
    else if (!content.empty() && content.front() != '#') section.body.emplace_back(content);
    return true;
  }

  void close_section() { in_section_ = false; }

  bool key_line(std::string_view content) {
    const std::size_t colon = content.find(':');
    if (colon == std::string_view::npos) return fail("neither a key nor a section: " + std::string(content));
    const std::string name(trimmed(content.substr(0, colon)));
    if (!is_one_of(name, kKeys)) return fail("no such key: " + name);
    auto& keys = out_.cases.empty() ? file_keys_ : out_.cases.back().keys;
    keys.push_back({name, std::string(trimmed(content.substr(colon + 1)))});
    return true;
  }

  CaseFile& out_;
  std::string& error_;
  std::vector<CaseKey> file_keys_;
  std::size_t at_ = 0;
  bool in_section_ = false;
};

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

/// Plain text of an expected line as a regular expression; what stands in {{ }} is one already.
std::string to_regex(std::string_view expected) {
  std::string out;
  while (!expected.empty()) {
    if (starts_with(expected, "{{")) {
      const std::size_t end = expected.find("}}");
      out += "(";
      out += expected.substr(2, end == std::string_view::npos ? end : end - 2);
      out += ")";
      expected.remove_prefix(end == std::string_view::npos ? expected.size() : end + 2);
      continue;
    }
    if (std::string_view("\\^$.|?*+()[]{}").find(expected.front()) != std::string_view::npos) out += '\\';
    out += expected.front();
    expected.remove_prefix(1);
  }
  return out;
}

bool line_matches(const std::string& expected, const std::string& line) {
  if (expected.find("{{") == std::string::npos) return line.find(expected) != std::string::npos;
  regex_t compiled;
  if (regcomp(&compiled, to_regex(expected).c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool found = regexec(&compiled, line.c_str(), 0, nullptr, 0) == 0;
  regfree(&compiled);
  return found;
}

}  // namespace

std::vector<std::string> CaseSection::lines() const {
  std::vector<std::string> out;
  if (!argument.empty()) out.push_back(argument);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

const CaseSection* Case::section(std::string_view section_name) const {
  for (const CaseSection& s : sections)
    if (s.name == section_name) return &s;
  return nullptr;
}

std::string_view Case::key(std::string_view key_name) const {
  for (auto key = keys.rbegin(); key != keys.rend(); ++key)
    if (key->name == key_name) return key->value;
  return {};
}

bool parse_case_file(std::string_view path, std::string_view text, CaseFile& out, std::string& error) {
  out = {};
  out.path = path;
  out.lines = split_lines(text);
  return Parser(out, error).run();
}

std::string apply_edits(const CaseFile& file, std::vector<CaseEdit> edits) {
  std::string out;
  for (std::size_t line = 0; line < file.lines.size(); ++line) {
    const auto edit = std::find_if(edits.begin(), edits.end(), [&](const CaseEdit& e) { return e.heading == line; });
    if (edit == edits.end()) {
      out += file.lines[line] + "\n";
      continue;
    }
    for (const Case& c : file.cases)
      for (const CaseSection& section : c.sections) {
        if (section.heading != line) continue;
        out += "-- " + section.name + "\n";
        for (const std::string& text : edit->body) out += "  " + text + "\n";
        line = section.end - 1;
      }
  }
  return out;
}

std::string match_log(const std::vector<std::string>& expected, std::string_view text) {
  const std::vector<std::string> lines = split_lines(text);
  std::size_t at = 0;
  for (const std::string& want : expected) {
    if (want == "...") continue;
    if (starts_with(want, "not: ")) {
      for (const std::string& line : lines)
        if (line_matches(want.substr(5), line)) return want;
      continue;
    }
    while (at < lines.size() && !line_matches(want, lines[at])) ++at;
    if (at == lines.size()) return want;
    ++at;
  }
  return {};
}

}  // namespace ring3::test
