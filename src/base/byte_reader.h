// Reads little-endian records out of bytes nobody has checked yet. Never reads past the end:
// a read that does not fit fails and moves nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace ring3 {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::size_t offset() const { return off_; }
  std::size_t remaining() const { return bytes_.size() - off_; }

  template <typename T>
    requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool read(T& out) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&out, bytes_.data() + off_, sizeof(T));
    off_ += sizeof(T);
    return true;
  }

  [[nodiscard]] bool skip(std::size_t n) {
    if (remaining() < n) return false;
    off_ += n;
    return true;
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t off_ = 0;
};

}  // namespace ring3
