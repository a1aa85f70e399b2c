#include "control/wire.h"

namespace ring3::control {

WireWriter& WireWriter::append(const void* from, std::size_t bytes) {
  const std::size_t at = bytes_.size();
  bytes_.resize(at + bytes);
  if (bytes != 0) std::memcpy(bytes_.data() + at, from, bytes);
  return *this;
}

std::string WireReader::text() {
  const auto length = get<std::uint32_t>();
  if (failed_ || length > kMaxTextBytes || length > reader_.remaining()) {
    failed_ = true;
    return {};
  }
  std::string text(reinterpret_cast<const char*>(bytes_.data() + reader_.offset()), length);
  failed_ = !reader_.skip(length);
  return text;
}

std::span<const std::byte> WireReader::rest() {
  const auto rest = bytes_.subspan(reader_.offset());
  failed_ = failed_ || !reader_.skip(rest.size());
  return rest;
}

}  // namespace ring3::control
