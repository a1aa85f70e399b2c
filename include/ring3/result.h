#pragma once

#include <cassert>
#include <new>
#include <type_traits>
#include <utility>

#include "ring3/errno.h"

namespace ring3 {

/// A value or the errno that says why there is none. Errors are values: nothing in ring3 throws.
/// The text that explains an errno goes to the log of the command that failed, never into Result.
/// value() on an error is a bug of the caller and is checked in every build.
template <typename T>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T>);

 public:
  using Value = T;

  Result(Errno e) noexcept : error_(e), ok_(false) {}           // NOLINT: implicit on purpose
  Result(const T& v) : value_(v), ok_(true) {}                  // NOLINT
  Result(T&& v) noexcept : value_(std::move(v)), ok_(true) {}   // NOLINT
  template <typename U>
    requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, T> && !std::is_same_v<std::remove_cvref_t<U>, Errno>)
  Result(U&& v) : value_(std::forward<U>(v)), ok_(true) {}      // NOLINT
  Result(Result&& o) noexcept : ok_(o.ok_) {
    if (ok_)
      new (&value_) T(std::move(o.value_));
    else
      error_ = o.error_;
  }
  Result& operator=(Result&& o) noexcept {
    if (this != &o) {
      this->~Result();
      new (this) Result(std::move(o));
    }
    return *this;
  }
  Result(const Result&) = delete;
  Result& operator=(const Result&) = delete;
  ~Result() {
    if (ok_) value_.~T();
  }

  bool ok() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  /// Only on an error.
  Errno error() const noexcept {
    if (ok_) __builtin_trap();
    return error_;
  }
  T& value() & noexcept {
    if (!ok_) __builtin_trap();
    return value_;
  }
  const T& value() const& noexcept {
    if (!ok_) __builtin_trap();
    return value_;
  }
  T&& value() && noexcept {
    if (!ok_) __builtin_trap();
    return std::move(value_);
  }
  T& operator*() & noexcept { return value(); }
  const T& operator*() const& noexcept { return value(); }
  T* operator->() noexcept { return &value(); }
  const T* operator->() const noexcept { return &value(); }
  template <typename U>
  T value_or(U&& other) const& {
    return ok_ ? value_ : static_cast<T>(std::forward<U>(other));
  }

 private:
  union {
    T value_;
    Errno error_;
  };
  bool ok_;
};

/// Success, or an errno.
template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = void;

  Result() noexcept : ok_(true) {}
  Result(Errno e) noexcept : error_(e), ok_(false) {}  // NOLINT: implicit on purpose
  bool ok() const noexcept { return ok_; }
  explicit operator bool() const noexcept { return ok_; }
  Errno error() const noexcept {
    if (ok_) __builtin_trap();
    return error_;
  }
  void value() const noexcept {
    if (!ok_) __builtin_trap();
  }

 private:
  Errno error_{};
  bool ok_;
};

}  // namespace ring3
