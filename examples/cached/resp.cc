#include "resp.h"

#include <charconv>

namespace cached {
namespace {

constexpr std::int64_t kMaxArgs = 1024;
constexpr std::int64_t kMaxBulkBytes = 16 << 20;
constexpr std::size_t kMaxLineBytes = 64 << 10;
// A request that has not ended by then is refused: many arguments, each at its limit, would not fit in memory.
constexpr std::size_t kMaxRequestBytes = 32 << 20;

bool parse_number(std::string_view text, std::int64_t& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

RequestParser::Status RequestParser::line(std::size_t& off, std::string_view& text) const {
  std::size_t end = buffer_.find('\n', off);
  if (end == std::string::npos) return buffer_.size() - off > kMaxLineBytes ? Status::kBroken : Status::kNeedMore;
  std::size_t stop = end > off && buffer_[end - 1] == '\r' ? end - 1 : end;
  text = std::string_view(buffer_).substr(off, stop - off);
  off = end + 1;
  return Status::kRequest;
}

RequestParser::Status RequestParser::next(std::vector<std::string_view>& args) {
  args.clear();
  if (consumed_ == buffer_.size()) {
    buffer_.clear();
    consumed_ = 0;
    return Status::kNeedMore;
  }
  Status status = buffer_[consumed_] == '*' ? next_array(args) : next_inline(args);
  if (status != Status::kNeedMore) return status;
  args.clear();
  drop_consumed();
  return buffer_.size() > kMaxRequestBytes ? Status::kBroken : status;
}

void RequestParser::drop_consumed() {
  buffer_.erase(0, consumed_);
  consumed_ = 0;
}

RequestParser::Status RequestParser::next_array(std::vector<std::string_view>& args) {
  std::size_t off = consumed_ + 1;
  std::string_view text;
  std::int64_t count = 0;
  if (Status got = line(off, text); got != Status::kRequest) return got;
  if (!parse_number(text, count) || count < 0 || count > kMaxArgs) return Status::kBroken;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t bytes = 0;
    if (off >= buffer_.size()) return Status::kNeedMore;
    if (buffer_[off] != '$') return Status::kBroken;
    ++off;
    if (Status got = line(off, text); got != Status::kRequest) return got;
    if (!parse_number(text, bytes) || bytes < 0 || bytes > kMaxBulkBytes) return Status::kBroken;
    std::size_t size = static_cast<std::size_t>(bytes);
    if (buffer_.size() - off < size + 2) return Status::kNeedMore;
    if (buffer_[off + size] != '\r' || buffer_[off + size + 1] != '\n') return Status::kBroken;
    args.push_back(std::string_view(buffer_).substr(off, size));
    off += size + 2;
  }
  consumed_ = off;
  return Status::kRequest;
}

RequestParser::Status RequestParser::next_inline(std::vector<std::string_view>& args) {
  std::size_t off = consumed_;
  std::string_view text;
  if (Status got = line(off, text); got != Status::kRequest) return got;
  while (!text.empty()) {
    std::size_t end = text.find(' ');
    std::string_view word = text.substr(0, end);
    if (!word.empty()) args.push_back(word);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  consumed_ = off;
  return Status::kRequest;
}

void reply_simple(std::string& out, std::string_view text) { out.append("+").append(text).append("\r\n"); }
void reply_error(std::string& out, std::string_view text) { out.append("-ERR ").append(text).append("\r\n"); }
void reply_integer(std::string& out, std::int64_t value) { out.append(":").append(std::to_string(value)).append("\r\n"); }
void reply_bulk(std::string& out, std::string_view bytes) {
  out.append("$").append(std::to_string(bytes.size())).append("\r\n").append(bytes).append("\r\n");
}
void reply_null(std::string& out) { out.append("$-1\r\n"); }
void reply_array_head(std::string& out, std::size_t count) {
  out.append("*").append(std::to_string(count)).append("\r\n");
}

}  // namespace cached
