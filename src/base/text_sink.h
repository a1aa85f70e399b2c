// Where text goes: rooms that print (disassembler, BTF printer, verifier log) write here and
// never know whether the reader is a client's log buffer, a string or a file.
#pragma once

#include <string>
#include <string_view>

namespace ring3 {

class TextSink {
 public:
  virtual void write(std::string_view text) = 0;

 protected:
  ~TextSink() = default;
};

class StringSink final : public TextSink {
 public:
  void write(std::string_view text) override { text_.append(text); }
  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Swallows everything.
class NullSink final : public TextSink {
 public:
  void write(std::string_view) override {}
};

}  // namespace ring3
