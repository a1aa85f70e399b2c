#include "resp.h"

#include <gtest/gtest.h>

namespace cached {
namespace {

using Status = RequestParser::Status;
using Words = std::vector<std::string_view>;

Status parse(std::string_view bytes, Words& words) {
  static RequestParser parser;
  parser = RequestParser();
  parser.feed(bytes);
  return parser.next(words);
}

TEST(RespTest, ArrayOfBulkStrings) {
  Words words;
  EXPECT_EQ(parse("*2\r\n$3\r\nGET\r\n$4\r\na\r\nb\r\n", words), Status::kRequest);
  EXPECT_EQ(words, (Words{"GET", "a\r\nb"}));
}

TEST(RespTest, InlineWords) {
  Words words;
  EXPECT_EQ(parse("  PING   hello \r\n", words), Status::kRequest);
  EXPECT_EQ(words, (Words{"PING", "hello"}));
  EXPECT_EQ(parse("\r\n", words), Status::kRequest);
  EXPECT_TRUE(words.empty());
  EXPECT_EQ(parse("*0\r\n", words), Status::kRequest);
  EXPECT_TRUE(words.empty());
}

TEST(RespTest, EveryCutOfAStreamGivesTheSameRequests) {
  const std::string stream = "*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\nPING\r\n";
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    RequestParser parser;
    Words words;
    std::vector<std::string> seen;
    for (std::string_view part : {std::string_view(stream).substr(0, cut), std::string_view(stream).substr(cut)}) {
      parser.feed(part);
      while (parser.next(words) == Status::kRequest)
        for (std::string_view word : words) seen.emplace_back(word);
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"PING", "SET", "k", "\r\n", "PING"})) << "cut at " << cut;
  }
}

TEST(RespTest, BrokenStreams) {
  Words words;
  for (std::string_view bytes : {
           "*\r\n", "*-1\r\n", "*x\r\n", "*1 \r\n", "*99999999999999999999\r\n", "*1025\r\n", "*1\r\nGET\r\n",
           "*1\r\n:3\r\n", "*1\r\n$-1\r\n", "*1\r\n$x\r\n", "*1\r\n$99999999999\r\n", "*1\r\n$3\r\nGETxx",
           "*1\r\n$3\r\nGET\n\n",
       })
    EXPECT_EQ(parse(bytes, words), Status::kBroken) << bytes;
}

TEST(RespTest, LinesWithoutEndAreRefused) {
  Words words;
  EXPECT_EQ(parse(std::string(70'000, 'a'), words), Status::kBroken);
  EXPECT_EQ(parse("*" + std::string(70'000, '1'), words), Status::kBroken);
  EXPECT_EQ(parse("*1\r\n$" + std::string(70'000, '1'), words), Status::kBroken);
  EXPECT_EQ(parse(std::string(1000, 'a'), words), Status::kNeedMore);
}

TEST(RespTest, ARequestThatGrowsWithoutEndIsRefused) {
  RequestParser parser;
  Words words;
  const std::string value(8 << 20, 'v');
  parser.feed("*9\r\n");
  Status last = Status::kNeedMore;
  for (int i = 0; i < 8 && last == Status::kNeedMore; ++i) {
    parser.feed("$8388608\r\n" + value + "\r\n");
    last = parser.next(words);
  }
  EXPECT_EQ(last, Status::kBroken);
}

TEST(RespTest, Replies) {
  std::string out;
  reply_simple(out, "OK");
  reply_error(out, "no");
  reply_integer(out, -3);
  reply_bulk(out, "a\r\n");
  reply_null(out);
  reply_array_head(out, 2);
  EXPECT_EQ(out, "+OK\r\n-ERR no\r\n:-3\r\n$3\r\na\r\n\r\n$-1\r\n*2\r\n");
}

}  // namespace
}  // namespace cached
