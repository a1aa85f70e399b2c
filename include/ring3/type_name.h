#pragma once

#include <cstddef>
#include <string_view>

namespace ring3::detail {

/// The compiler's spelling of T.
template <typename T>
constexpr std::string_view type_text() {
  constexpr std::string_view f = __PRETTY_FUNCTION__;
  constexpr std::size_t start = f.find("T = ") + 4;
  constexpr std::size_t semi = f.find(';', start);
  constexpr std::size_t end = semi == std::string_view::npos ? f.rfind(']') : semi;
  return f.substr(start, end - start);
}

/// The last component of the name of a struct, as its BTF knows it.
template <typename T>
constexpr std::string_view plain_type_name() {
  std::string_view name = type_text<T>();
  if (const std::size_t colon = name.rfind(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
  if (name.starts_with("struct ")) name.remove_prefix(7);
  return name;
}

/// The last component of the name of the function Fn points to.
template <auto Fn>
constexpr std::string_view function_name() {
  constexpr std::string_view f = __PRETTY_FUNCTION__;
  constexpr std::size_t start = f.find("Fn = ") + 5;
  constexpr std::size_t semi = f.find(';', start);
  constexpr std::size_t end = semi == std::string_view::npos ? f.rfind(']') : semi;
  std::string_view name = f.substr(start, end - start);
  if (const std::size_t colon = name.rfind(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
  if (name.starts_with('&')) name.remove_prefix(1);
  return name;
}

/// The last component of the name of the object Ptr points to.
template <auto* Ptr>
constexpr std::string_view object_name() {
  constexpr std::string_view f = __PRETTY_FUNCTION__;
  constexpr std::size_t start = f.find("Ptr = ") + 6;
  constexpr std::size_t semi = f.find(';', start);
  constexpr std::size_t end = semi == std::string_view::npos ? f.rfind(']') : semi;
  std::string_view name = f.substr(start, end - start);
  if (const std::size_t colon = name.rfind(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
  while (!name.empty() && (name.front() == '(' || name.front() == '&' || name.front() == ' ')) name.remove_prefix(1);
  while (!name.empty() && name.back() == ')') name.remove_suffix(1);
  return name;
}

}  // namespace ring3::detail
