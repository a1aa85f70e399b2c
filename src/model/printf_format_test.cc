#include "model/printf_format.h"

#include <gtest/gtest.h>

#include "base/try.h"

namespace ring3::model {
namespace {

bool accepts(std::string_view format, std::uint32_t args) {
  std::string with_nul(format);
  with_nul.push_back('\0');
  return check_printf_format(with_nul, args).ok();
}

TEST(PrintfFormatTest, AcceptedFormats) {
  EXPECT_TRUE(accepts("", 0));
  EXPECT_TRUE(accepts("plain text\n\t100%%", 0));
  EXPECT_TRUE(accepts("%d %i %u %x %X %ld %lu %lx %lld %llu %llx %c", 12));
  EXPECT_TRUE(accepts("%p %pK, %px: %pB%ps\t%pS", 6));
  EXPECT_TRUE(accepts("%s/%pks %pus!", 3));
  EXPECT_TRUE(accepts("%pi4 %pI4 %pi6 %pI6", 4));
  EXPECT_TRUE(accepts("%08x %-5d %+d % d %012lld", 5));
  EXPECT_TRUE(accepts("%d", 3));  // arguments left over do no harm
}

TEST(PrintfFormatTest, RefusedFormats) {
  EXPECT_FALSE(accepts("%d", 0));
  EXPECT_FALSE(accepts("%d %d %d %d", 3));
  EXPECT_FALSE(accepts("%", 1));
  EXPECT_FALSE(accepts("%l", 1));
  EXPECT_FALSE(accepts("%llld", 1));
  EXPECT_FALSE(accepts("%hd", 1));
  EXPECT_FALSE(accepts("%f", 1));
  EXPECT_FALSE(accepts("%n", 1));
  EXPECT_FALSE(accepts("%o", 1));
  EXPECT_FALSE(accepts("%*d", 2));
  EXPECT_FALSE(accepts("%.3d", 1));
  EXPECT_FALSE(accepts("%sx", 1));
  EXPECT_FALSE(accepts("%pz", 1));
  EXPECT_FALSE(accepts("%pi5", 1));
  EXPECT_FALSE(accepts("%pksx", 1));
  EXPECT_FALSE(accepts("caf\xc3\xa9", 0));
  EXPECT_FALSE(accepts("\x01", 0));
}

TEST(PrintfFormatTest, FormatWithoutNulIsRefused) {
  EXPECT_EQ(check_printf_format("abc", 0).error(), Errno::kInval);
  EXPECT_EQ(check_printf_format("", 0).error(), Errno::kInval);
  EXPECT_TRUE(check_printf_format(std::string_view("ok\0%f", 5), 0).ok());
}

TEST(PrintfFormatTest, PiecesCarryWhatWasAsked) {
  PrintfParser parser("a%-08llXb", 1);
  EXPECT_EQ(parser.next().value()->text, "a");
  const PrintfPiece number = *parser.next().value();
  EXPECT_EQ(number.kind, PrintfPiece::Kind::kInteger);
  EXPECT_EQ(number.bytes, 8);
  EXPECT_EQ(number.base, 16);
  EXPECT_EQ(number.width, 8u);
  EXPECT_TRUE(number.left && number.zero_pad && number.upper_case);
  EXPECT_FALSE(number.is_signed);
  EXPECT_EQ(parser.next().value()->text, "b");
  EXPECT_FALSE(parser.next().value().has_value());
}

TEST(PrintfFormatTest, HugeWidthDoesNotOverflow) {
  PrintfParser parser("%99999999999999999999d", 1);
  EXPECT_GE(parser.next().value()->width, 1024u);
}

}  // namespace
}  // namespace ring3::model
