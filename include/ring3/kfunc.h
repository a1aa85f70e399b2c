#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ring3/type_name.h"

namespace ring3 {

namespace kfunc {
/// Bits of KfuncOptions::flags; the names and meanings of the kernel's KF_ flags.
enum Flag : std::uint32_t {
  kAcquire = 1u << 0,      ///< returns an owned reference
  kRelease = 1u << 1,      ///< gives up the reference passed
  kRetNull = 1u << 2,      ///< may return null
  kTrustedArgs = 1u << 4,  ///< pointers must be trusted and not null
  kSleepable = 1u << 5,
  kDestructive = 1u << 6,
  kRcu = 1u << 7,
};
}  // namespace kfunc

struct KfuncOptions {
  std::uint32_t flags = 0;
  std::uint64_t prog_types = ~0ull;  ///< bit per enum bpf_prog_type
};

/// One C++ type of a prototype, as far as BTF can be compared with it.
struct CType {
  enum Kind : std::uint8_t { kVoid, kBool, kInt, kEnum, kPointer, kOther } kind = kVoid;
  bool is_signed = false;
  std::uint8_t size_bytes = 0;
  std::string_view text;  ///< as the compiler spells it, for messages
  // kPointer: what it points to, without const.
  Kind pointee = kVoid;
  bool pointee_signed = false;
  std::uint8_t pointee_bytes = 0;
  std::string_view pointee_name;  ///< kOther: name of the struct or union
};

/// A C++ function as ring3 registers it: address behind five 64-bit registers, name, prototype.
struct KfuncDef {
  std::string_view name;
  std::uint64_t (*call)(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) = nullptr;
  CType ret;
  std::array<CType, 5> params{};
  std::uint8_t param_count = 0;
  KfuncOptions options;
};

namespace detail {

template <typename T>
constexpr CType::Kind ctype_kind() {
  if constexpr (std::is_void_v<T>) return CType::kVoid;
  else if constexpr (std::is_same_v<T, bool>) return CType::kBool;
  else if constexpr (std::is_integral_v<T>) return CType::kInt;
  else if constexpr (std::is_enum_v<T>) return CType::kEnum;
  else if constexpr (std::is_pointer_v<T>) return CType::kPointer;
  else return CType::kOther;
}

/// 0 for what has no size, or none here: a struct may be declared only.
template <typename T>
constexpr std::uint8_t ctype_bytes() {
  if constexpr (std::is_integral_v<T> || std::is_enum_v<T> || std::is_pointer_v<T>) return sizeof(T);
  else return 0;
}

template <typename T>
constexpr CType ctype() {
  CType c;
  c.kind = ctype_kind<T>();
  c.size_bytes = ctype_bytes<T>();
  c.text = type_text<T>();
  if constexpr (std::is_integral_v<T>) c.is_signed = std::is_signed_v<T>;
  if constexpr (std::is_pointer_v<T>) {
    using Pointee = std::remove_cv_t<std::remove_pointer_t<T>>;
    c.pointee = ctype_kind<Pointee>();
    c.pointee_bytes = ctype_bytes<Pointee>();
    c.pointee_name = plain_type_name<Pointee>();
    if constexpr (std::is_integral_v<Pointee>) c.pointee_signed = std::is_signed_v<Pointee>;
  }
  return c;
}

template <typename T>
T from_register(std::uint64_t r) {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<T>(static_cast<std::uintptr_t>(r));
  else
    return static_cast<T>(r);
}

template <typename T>
std::uint64_t to_register(T v) {
  if constexpr (std::is_pointer_v<T>)
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(v));
  else if constexpr (std::is_enum_v<T>)
    return static_cast<std::uint64_t>(static_cast<std::underlying_type_t<T>>(v));
  else
    return static_cast<std::uint64_t>(v);
}

template <auto Fn, typename Signature>
struct KfuncThunk;

template <auto Fn, typename R, typename... Args>
struct KfuncThunk<Fn, R (*)(Args...)> {
  static_assert(sizeof...(Args) <= 5, "a kfunc takes at most five arguments");
  static_assert(((std::is_integral_v<Args> || std::is_enum_v<Args> || std::is_pointer_v<Args>) && ...),
                "a kfunc's arguments are integers, enums or pointers");
  static_assert(std::is_void_v<R> || std::is_integral_v<R> || std::is_enum_v<R> || std::is_pointer_v<R>,
                "a kfunc returns void, an integer, an enum or a pointer");

  static std::uint64_t call(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                            std::uint64_t r5) {
    const std::uint64_t regs[5] = {r1, r2, r3, r4, r5};
    return invoke(regs, std::index_sequence_for<Args...>{});
  }

  static KfuncDef def(const KfuncOptions& options) {
    KfuncDef d;
    d.name = pointee_name<Fn>();
    d.call = &call;
    d.ret = ctype<R>();
    d.param_count = sizeof...(Args);
    d.params = std::array<CType, 5>{ctype<Args>()...};
    d.options = options;
    return d;
  }

 private:
  template <std::size_t... I>
  static std::uint64_t invoke([[maybe_unused]] const std::uint64_t (&regs)[5], std::index_sequence<I...>) {
    if constexpr (std::is_void_v<R>) {
      Fn(from_register<Args>(regs[I])...);
      return 0;
    } else {
      return to_register<R>(Fn(from_register<Args>(regs[I])...));
    }
  }
};

template <auto Fn, typename R, typename... Args>
struct KfuncThunk<Fn, R (*)(Args...) noexcept> : KfuncThunk<Fn, R (*)(Args...)> {};

}  // namespace detail
}  // namespace ring3
