// The case format: programs with what must come of them, as text. docs/testing.md describes it.
//
// Reading keeps every line of the file, so that expectations can be rewritten in place (bless) without
// touching anything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ring3::test {

struct CaseSection {
  std::string name;                // "asm", "verdict", …
  std::string argument;            // rest of the heading line
  std::vector<std::string> body;   // comment and blank lines left out, except in asm
  std::size_t heading = 0;         // line numbers from 0: heading, and one past the last line
  std::size_t end = 0;

  /// Argument and body as one list of expected lines.
  std::vector<std::string> lines() const;
};

struct CaseKey {
  std::string name, value;
};

struct Case {
  std::string name;                // a sentence
  std::size_t line = 0;            // of "=== name", from 0
  std::vector<CaseKey> keys;       // of the file first, then of the case: the last one counts
  std::vector<CaseSection> sections;

  const CaseSection* section(std::string_view section_name) const;
  /// The value of a key that stands once; "" when absent.
  std::string_view key(std::string_view key_name) const;
};

struct CaseFile {
  std::string path;
  std::vector<std::string> lines;
  std::vector<Case> cases;
};

/// Parses a case file's text. False: error says "LINE: what".
bool parse_case_file(std::string_view path, std::string_view text, CaseFile& out, std::string& error);

/// What a section should say instead.
struct CaseEdit {
  std::size_t heading;                // of the section to rewrite
  std::vector<std::string> body;
};

/// The file's text with edits made; comments inside a rewritten section are lost, everything else stays.
std::string apply_edits(const CaseFile& file, std::vector<CaseEdit> edits);

/// Matches expected lines against text, in order: each must be part of a later line than the one before.
/// "{{…}}" inside an expected line is an extended regular expression, "..." alone on a line is any number of
/// lines (and says nothing, order being what it is), "not: TEXT" must be part of no line at all.
/// Returns the first expectation that fails, "" when all hold.
std::string match_log(const std::vector<std::string>& expected, std::string_view text);

}  // namespace ring3::test
