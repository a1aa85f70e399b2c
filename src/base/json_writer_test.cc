#include "base/json_writer.h"

#include <gtest/gtest.h>

namespace ring3 {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(JsonWriterTest, SeparatesWhatStandsSideBySide) {
  JsonWriter json;
  json.begin_object().field("a", 1).field("b", "x").key("c").begin_array().value(true).begin_object().end_object();
  json.end_array().key("d").raw("null").end_object();
  EXPECT_EQ(json.take(), R"({"a":1,"b":"x","c":[true,{}],"d":null})");
}

TEST(JsonWriterTest, NumbersKeepTheirSignAndWidth) {
  JsonWriter json;
  json.begin_array().value(-1).value(UINT64_MAX).value(false).end_array();
  EXPECT_EQ(json.take(), "[-1,18446744073709551615,false]");
}

TEST(JsonWriterTest, EscapesWhatJsonForbids) {
  EXPECT_EQ(quoted("a\"b\\c\n\t\x01\x7f"), R"("a\"b\\c\n\t\u0001\u007f")");
}

TEST(JsonWriterTest, BytesThatAreNoTextBecomeTheReplacementCharacter) {
  EXPECT_EQ(quoted("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9d"), "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x9d\"");
  EXPECT_EQ(quoted("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(quoted("\xc0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                  // overlong
  EXPECT_EQ(quoted("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // surrogate
  EXPECT_EQ(quoted("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");                  // cut off
}

}  // namespace
}  // namespace ring3
