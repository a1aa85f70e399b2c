// JSON as it is written, left to right, into one string: the rooms that answer listings need no library for
// it. Commas and quotes are the writer's job; that begin and end match is the caller's.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace ring3 {

/// Appends `text` as a JSON string, quoted. Control characters are escaped; bytes that are not UTF-8 are
/// replaced by U+FFFD, so the result is valid JSON whatever a client had put into a name.
void append_json_string(std::string& out, std::string_view text);

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  JsonWriter& value(T number) {
    return raw(std::to_string(number));
  }
  /// Text that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <typename T>
  JsonWriter& field(std::string_view name, T&& of) {
    key(name);
    return value(std::forward<T>(of));
  }

  std::string take() { return std::move(text_); }

 private:
  void separate();
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);

  std::string text_;
  bool first_ = true;  // nothing stands before the next value on its level
};

}  // namespace ring3
