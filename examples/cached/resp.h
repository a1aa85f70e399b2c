// RESP, the Redis protocol, as far as redis-cli and redis-benchmark speak it: requests are arrays of
// bulk strings or inline words; replies are simple strings, errors, integers, bulk strings and null.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cached {

/// Cuts requests out of a byte stream. Feed bytes, then take requests until kNeedMore. kBroken: the stream is
/// no RESP or asks for more than the server takes; nothing after it can be understood, close the connection.
class RequestParser {
 public:
  enum class Status { kRequest, kNeedMore, kBroken };

  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// args point into the parser's buffer and live until the next call. A request may have no words (an empty line).
  Status next(std::vector<std::string_view>& args);

 private:
  Status next_array(std::vector<std::string_view>& args);
  Status next_inline(std::vector<std::string_view>& args);
  /// The line at off without its CRLF, and off behind it.
  Status line(std::size_t& off, std::string_view& text) const;
  void drop_consumed();

  std::string buffer_;
  std::size_t consumed_ = 0;
};

void reply_simple(std::string& out, std::string_view text);
void reply_error(std::string& out, std::string_view text);
void reply_integer(std::string& out, std::int64_t value);
void reply_bulk(std::string& out, std::string_view bytes);
void reply_null(std::string& out);
/// count replies follow.
void reply_array_head(std::string& out, std::size_t count);

}  // namespace cached
