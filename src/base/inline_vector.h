// At most N values in place, without the heap: for small bounded sequences that are copied and moved a lot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace ring3 {

/// T is default constructible; an unused place holds T{}.
template <typename T, std::size_t N>
class InlineVector {
 public:
  InlineVector() = default;
  InlineVector(InlineVector&& o) noexcept : items_(std::move(o.items_)), size_(std::exchange(o.size_, 0)) {}
  InlineVector& operator=(InlineVector&& o) noexcept {
    items_ = std::move(o.items_);
    size_ = std::exchange(o.size_, 0);
    return *this;
  }

  void push_back(T item) {
    RING3_CHECK(size_ < N, "an inline vector has room");
    items_[size_++] = std::move(item);
  }
  void pop_back() { items_[--size_] = T{}; }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return items_[i]; }
  const T& operator[](std::size_t i) const { return items_[i]; }
  T& back() { return items_[size_ - 1]; }
  const T& back() const { return items_[size_ - 1]; }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + size_; }

 private:
  std::array<T, N> items_{};
  std::uint32_t size_ = 0;
};

}  // namespace ring3
