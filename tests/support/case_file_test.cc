#include "tests/support/case_file.h"

#include <gtest/gtest.h>

#include "tests/support/case_program.h"

namespace ring3::test {
namespace {

CaseFile parsed(std::string_view text) {
  CaseFile file;
  std::string error;
  EXPECT_TRUE(parse_case_file("x.case", text, file, error)) << error;
  return file;
}

std::string complaint_of(std::string_view text) {
  CaseFile file;
  std::string error;
  EXPECT_FALSE(parse_case_file("x.case", text, file, error));
  return error;
}

TEST(CaseFileTest, ReadsKeysCasesAndSections) {
  const CaseFile file = parsed(
      "# about\nprog-type: xdp\n\n=== first\nprog-type: socket_filter\n-- asm\n  r0 = 0\n  exit\n\n"
      "=== second\n-- asm\nexit\n-- verdict reject EACCES\n-- log\n  # why\n  R0 !read_ok\n");
  ASSERT_EQ(file.cases.size(), 2u);
  EXPECT_EQ(file.cases[0].key("prog-type"), "socket_filter");
  EXPECT_EQ(file.cases[1].key("prog-type"), "xdp");
  EXPECT_EQ(file.cases[1].section("verdict")->lines(), std::vector<std::string>{"reject EACCES"});
  EXPECT_EQ(file.cases[1].section("log")->lines(), std::vector<std::string>{"R0 !read_ok"});
  EXPECT_EQ(file.cases[1].section("run"), nullptr);
}

TEST(CaseFileTest, SaysWhatIsWrong) {
  EXPECT_EQ(complaint_of(""), "1: no cases: a case starts with \"=== name\"");
  EXPECT_EQ(complaint_of("=== a\n-- nonsense\n"), "2: no such section: nonsense");
  EXPECT_EQ(complaint_of("colour: red\n"), "1: no such key: colour");
  EXPECT_EQ(complaint_of("=== a\n-- verdict accept\n"), "3: the case above has no asm");
  EXPECT_EQ(complaint_of("=== a\n-- asm\nexit\n-- asm\n"), "4: section stands twice: asm");
  EXPECT_EQ(complaint_of("=== a\n-- asm\nexit\n=== a\n"), "4: two cases have this name");
  EXPECT_EQ(complaint_of("=== a\n-- asm\nexit\n-- xfail\n"), "4: xfail needs a reason");
  EXPECT_EQ(complaint_of("-- asm\n"), "1: a section before the first case");
}

TEST(CaseFileTest, EditsRewriteOneSectionAndNothingElse) {
  const CaseFile file = parsed("=== a\n-- asm\n  exit\n\n-- run\n  - => 1\n\n=== b\n-- asm\n  exit\n");
  const std::size_t heading = file.cases[0].section("run")->heading;
  EXPECT_EQ(apply_edits(file, {{heading, {"- => 2"}}}),
            "=== a\n-- asm\n  exit\n\n-- run\n  - => 2\n\n=== b\n-- asm\n  exit\n");
}

TEST(CaseFileTest, MatchesLogsInOrder) {
  const char* const log = "0: (b7) r0 = 0\nR1 invalid mem access 'scalar'\nprocessed 2 insns\n";
  EXPECT_EQ(match_log({"r0 = 0", "...", "invalid mem access 'scalar'"}, log), "");
  EXPECT_EQ(match_log({"invalid mem access", "r0 = 0"}, log), "r0 = 0");
  EXPECT_EQ(match_log({"processed {{[0-9]+}} insns"}, log), "");
  EXPECT_EQ(match_log({"(b7) {{r[1-9]}} = 0"}, log), "(b7) {{r[1-9]}} = 0");
  EXPECT_EQ(match_log({"not: invalid"}, log), "not: invalid");
  EXPECT_EQ(match_log({"not: misaligned"}, log), "");
}

TEST(CaseProgramTest, UnderstandsKeys) {
  const CaseFile file = parsed(
      "=== a\nprog-type: socket_filter\nflags: strict-alignment\nrights: bpf, net_admin\nlicense: MIT\nlog-level: 2\n"
      "map: counts hash key=4 value=8 entries=16\n-- asm\n  r1 = map[name:counts]\n  exit\n");
  CaseProgram program;
  std::string error;
  ASSERT_TRUE(make_case_program(file.cases[0], program, error)) << error;
  EXPECT_TRUE(program.verified);
  EXPECT_EQ(program.prog_type, 1u);
  EXPECT_EQ(program.flags, 1u);
  EXPECT_EQ(program.log_level, 2u);
  EXPECT_FALSE(program.gpl_compatible);
  EXPECT_TRUE(program.rights.net_admin && !program.rights.perfmon);
  ASSERT_EQ(program.maps.size(), 1u);
  EXPECT_EQ(program.maps[0].value_size, 8u);
  EXPECT_EQ(program.slots.size(), 3u);
}

TEST(CaseProgramTest, NamesTheLineThatDoesNotAssemble) {
  const CaseFile file = parsed("=== a\n-- asm\n  exit\n  nonsense\n");
  CaseProgram program;
  std::string error;
  EXPECT_FALSE(make_case_program(file.cases[0], program, error));
  EXPECT_EQ(error, "line 4: no such instruction: nonsense");
}

}  // namespace
}  // namespace ring3::test
