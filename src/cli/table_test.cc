#include "cli/table.h"

#include <gtest/gtest.h>

namespace ring3::cli {
namespace {

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({{"ID", Table::Align::kRight}, {"NAME"}, {"OPS"}});
  table.row({"7", "a", "x"});
  table.row({"123", "longer", ""});
  EXPECT_EQ(table.text(),
            " ID  NAME    OPS\n"
            "  7  a       x\n"
            "123  longer\n");
}

TEST(TableTest, CellsDoNotControlTheTerminal) {
  EXPECT_EQ(terminal_text("policy.bpf.o"), "policy.bpf.o");
  EXPECT_EQ(terminal_text("a\x1b[2Jb\nc\t\x7f"), "a\\x1b[2Jb\\x0ac\\x09\\x7f");
  EXPECT_EQ(terminal_text("\xc2\x9b" "2J \xc3\xa9"), "\\x9b2J \xc3\xa9");
  Table table({{"NAME"}, {"OPS"}});
  table.row({"a\nforged", "x"});
  EXPECT_EQ(table.text(), "NAME         OPS\na\\x0aforged  x\n");
}

TEST(TableTest, BytesKeepThreeDigitsOrSo) {
  EXPECT_EQ(bytes_text(0), "0");
  EXPECT_EQ(bytes_text(1023), "1023");
  EXPECT_EQ(bytes_text(1024), "1.0K");
  EXPECT_EQ(bytes_text(795256), "776.6K");
  EXPECT_EQ(bytes_text(5ull << 40), "5.0T");
  EXPECT_EQ(bytes_text(5ull << 50), "5120.0T");
}

TEST(TableTest, AgesUseTwoUnits) {
  EXPECT_EQ(age_text(0), "0s");
  EXPECT_EQ(age_text(59'999'999'999), "59s");
  EXPECT_EQ(age_text(303'000'000'000), "5m03s");
  EXPECT_EQ(age_text(7'620'000'000'000), "2h07m");
  EXPECT_EQ(age_text(273'600'000'000'000), "3d04h");
}

}  // namespace
}  // namespace ring3::cli
