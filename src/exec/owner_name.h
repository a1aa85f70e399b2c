// The module a program belongs to, for the lines it prints. Set once, when the module takes the program in; read by
// runs at any time, without a lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace ring3::exec {

class OwnerName {
 public:
  static constexpr std::size_t kMaxBytes = 31;  // as the module registry allows

  /// Called by one thread at a time. A second name is passed over: a program has one owner in its life.
  void set(std::string_view name) noexcept {
    if (size_.load(std::memory_order_relaxed) != 0 || name.size() > kMaxBytes) return;
    std::memcpy(text_, name.data(), name.size());
    size_.store(static_cast<std::uint8_t>(name.size()), std::memory_order_release);
  }
  /// "": none yet.
  std::string_view get() const noexcept { return {text_, size_.load(std::memory_order_acquire)}; }

 private:
  std::atomic<std::uint8_t> size_{0};
  char text_[kMaxBytes];
};

}  // namespace ring3::exec
