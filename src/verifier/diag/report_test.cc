// The report for people: its parts, in plain text, with colours and as JSON; all of it however long.
#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "verifier/testing.h"

namespace ring3::verifier {
namespace {

using testing::TestProgram;
using testing::TextLog;

Rejection refused(const std::string& text, std::span<const LineInfo> lines = {}) {
  TestProgram program(text);
  program.input.line_info = lines;
  TextLog log(1);
  const auto verdict = verify(program.input, {}, Limits{}, log);
  EXPECT_FALSE(verdict.ok()) << text;
  return log.rejection;
}

std::string without_colours(const std::string& text) { return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m"), ""); }

const std::string kBad = "r6 = r1\ncall bpf_get_prandom_u32\nif r0 == 7 goto out\nr0 = *(u64 *)(r0 +8)\nout:\nexit\n";

TEST(ReportTest, SaysWhatWhereWhyAndWhatHelps) {
  const Rejection r = refused(kBad);
  EXPECT_EQ(r.insn_idx, 3u);
  EXPECT_EQ(r.insn_text, "(79) r0 = *(u64 *)(r0 +8)");
  EXPECT_EQ(r.message, "R0 invalid mem access 'scalar'");
  EXPECT_EQ(r.category, "memory");
  EXPECT_EQ(r.rule, "InvalidMemAccess");
  EXPECT_FALSE(r.demand.empty());
  EXPECT_FALSE(r.suggestion.empty());
  ASSERT_EQ(r.operands.size(), 1u);
  EXPECT_EQ(r.operands[0].name, "r0");
  EXPECT_EQ(r.operands[0].known, "scalar()");
  ASSERT_FALSE(r.operands[0].origin.empty());
  EXPECT_EQ(r.operands[0].origin[0].insn_idx, 1u);
  ASSERT_EQ(r.path.size(), 1u);
  EXPECT_EQ(r.path[0].insn_idx, 2u);
  EXPECT_EQ(r.path[0].what, "not taken");
}

TEST(ReportTest, PlainTextHasEveryPart) {
  const std::string text = rejection_text(refused(kBad), {});
  for (const char* part : {"refused: R0 invalid mem access 'scalar'\n", "  instruction 3: (79) r0 = *(u64 *)(r0 +8)\n",
                           "  rule InvalidMemAccess (memory): ", "  what was known:\n    r0 = scalar()\n",
                           "      from 1: (85) call bpf_get_prandom_u32#7  (result of the call)\n", "  how it got there:\n    2: ", "  try: "})
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(ReportTest, ColoursAddNothingButColours) {
  const Rejection r = refused(kBad);
  const std::string coloured = rejection_text(r, {.colour = true});
  EXPECT_NE(coloured.find("\x1b[1;31mrefused: "), std::string::npos);
  EXPECT_EQ(without_colours(coloured), rejection_text(r, {}));
}

TEST(ReportTest, JsonHasTheSameFacts) {
  const std::string json = rejection_json(refused(kBad));
  for (const char* part : {R"("class":"memory")", R"("rule":"InvalidMemAccess")", R"("message":"R0 invalid mem access 'scalar'")",
                           R"("insn_idx":3)", R"x("name":"r0","known":"scalar()")x", R"("what":"result of the call")", R"("what":"not taken")",
                           R"("suggestion":")"})
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
}

TEST(ReportTest, SourceLinesAreShownWhereTheProgramHasThem) {
  const LineInfo lines[] = {{.insn_idx = 0, .file = "src/a.c", .line = "int f(void *ctx) {", .line_num = 3, .line_col = 1},
                            {.insn_idx = 3, .file = "src/a.c", .line = "\treturn *p;", .line_num = 7, .line_col = 9}};
  const std::string text = rejection_text(refused(kBad, lines), {});
  EXPECT_NE(text.find("  at src/a.c:7\n"), std::string::npos) << text;
  EXPECT_NE(text.find("return *p;"), std::string::npos) << text;
}

TEST(ReportTest, NothingIsLeftOutHoweverLong) {
  constexpr int kBranches = 300;
  std::string text = "r7 = r1\n";
  for (int i = 0; i < kBranches; ++i)
    text += "r1 = *(u32 *)(r7 +0)\nif r1 == " + std::to_string(i + 1000) + " goto out\n";
  text += "r0 = *(u64 *)(r1 +0)\nout:\nr0 = 0\nexit\n";
  const Rejection r = refused(text);
  EXPECT_EQ(r.path.size(), static_cast<std::size_t>(kBranches));
  const std::string plain = rejection_text(r, {}), json = rejection_json(r);
  for (int i = 0; i < kBranches; ++i) {
    char branch[32];
    std::snprintf(branch, sizeof branch, "if r1 == 0x%x goto", i + 1000);
    EXPECT_NE(plain.find(branch), std::string::npos) << branch;
    EXPECT_NE(json.find(branch), std::string::npos) << branch;
  }
}

}  // namespace
}  // namespace ring3::verifier
