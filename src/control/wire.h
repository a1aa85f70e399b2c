// Building and reading message bodies. A WireReader trusts nothing: what does not fit makes it fail for good,
// and finished() tells whether everything was read and nothing is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/byte_reader.h"
#include "control/protocol.h"

namespace ring3::control {

class WireWriter {
 public:
  WireWriter() = default;
  explicit WireWriter(MessageType type, std::uint32_t serial) { put(Header{type, serial}); }

  template <typename T>
    requires(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>)
  WireWriter& put(const T& value) {
    return append(&value, sizeof value);
  }
  WireWriter& text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    return append(text.data(), text.size());
  }
  WireWriter& raw(std::span<const std::byte> bytes) { return append(bytes.data(), bytes.size()); }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  WireWriter& append(const void* from, std::size_t bytes);
  std::vector<std::byte> bytes_;
};

class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : bytes_(bytes), reader_(bytes) {}

  template <typename T>
  T get() {
    T value{};
    if (!reader_.read(value)) failed_ = true;
    return value;
  }
  /// Empty after a failure.
  std::string text();
  std::span<const std::byte> rest();
  /// The reader does not like what it read.
  void fail() { failed_ = true; }
  bool ok() const { return !failed_; }
  bool finished() const { return !failed_ && reader_.remaining() == 0; }

 private:
  std::span<const std::byte> bytes_;
  ByteReader reader_;
  bool failed_ = false;
};

}  // namespace ring3::control
