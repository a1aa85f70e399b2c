#include "prog/log_buffer.h"

#include <algorithm>
#include <cstddef>

namespace ring3::prog {
namespace {

constexpr std::uint32_t kKnownLevels =
    verifier::kLogNormal | verifier::kLogStates | verifier::kLogStats | verifier::kLogFixed;
constexpr std::uint32_t kMaxSizeBytes = UINT32_MAX >> 2;

}  // namespace

LogBuffer::LogBuffer(std::uint32_t log_level, std::uint32_t size_bytes, bool has_buffer)
    : size_bytes_(size_bytes), has_buffer_(has_buffer && size_bytes > 0) {
  level = log_level;
}

Result<void> LogBuffer::check_attr(std::uint32_t log_level, std::uint32_t size_bytes, bool has_buffer) {
  if (has_buffer != (size_bytes != 0)) return Errno::kInval;
  if (has_buffer && log_level == 0) return Errno::kInval;
  if (log_level & ~kKnownLevels) return Errno::kInval;
  if (size_bytes > kMaxSizeBytes) return Errno::kInval;
  return {};
}

void LogBuffer::write(std::string_view text) {
  if (level == 0 || text.empty()) return;
  written_bytes_ += text.size();
  if (!has_buffer_) return;
  const std::size_t room = size_bytes_ - 1;  // the last byte is the NUL
  if (level & verifier::kLogFixed) {
    kept_.append(text.substr(0, room - std::min(room, kept_.size())));
    return;
  }
  if (text.size() >= room) {
    kept_.assign(text.substr(text.size() - room));
    return;
  }
  kept_.append(text);
  // Cutting the head costs a move, so let the overhang grow to the size of the buffer first.
  if (kept_.size() > 2 * room) kept_.erase(0, kept_.size() - room);
}

std::string LogBuffer::image() const {
  if (!has_buffer_) return {};
  const std::size_t room = size_bytes_ - 1;
  std::string out = kept_.size() > room ? kept_.substr(kept_.size() - room) : kept_;
  out.push_back('\0');
  return out;
}

std::uint32_t LogBuffer::true_size() const {
  if (level == 0) return 0;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(written_bytes_ + 1, UINT32_MAX));
}

bool LogBuffer::truncated() const { return has_buffer_ && written_bytes_ + 1 > size_bytes_; }

}  // namespace ring3::prog
