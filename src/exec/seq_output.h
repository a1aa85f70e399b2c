// Where an iterator program's output goes: a buffer of fixed size that remembers when something did not fit. What did not
// fit leaves nothing behind but the mark, so that the caller can give out what stands and show the element again.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>

namespace ring3::maps {
class Map;
}

namespace ring3::exec {

/// A map that an iterator program is shown, and the host's struct by which it is.
struct ShownMap {
  const void* as = nullptr;
  const maps::Map* map = nullptr;
};

class SeqOutput {
 public:
  explicit SeqOutput(std::size_t capacity) : text_(capacity, '\0') {}

  std::string_view text() const { return {text_.data(), used_}; }
  std::size_t size() const { return used_; }
  bool overflowed() const { return overflowed_; }
  /// What is free, for printing in place; used(n) then says how much of it was taken.
  std::span<char> room() { return std::span(text_).subspan(used_); }
  void used(std::size_t bytes) { used_ += bytes; }
  void overflow() { overflowed_ = true; }
  /// False: it does not fit.
  bool append(const void* bytes, std::size_t size) noexcept {
    if (size > text_.size() - used_) return overflowed_ = true, false;
    if (size != 0) std::memcpy(text_.data() + used_, bytes, size);
    used_ += size;
    return true;
  }
  /// Back to what stood when size() was `size`.
  void cut(std::size_t size) {
    used_ = size;
    overflowed_ = false;
  }

  ShownMap shown;  // while the program runs that writes here

 private:
  std::string text_;
  std::size_t used_ = 0;
  bool overflowed_ = false;
};

}  // namespace ring3::exec
