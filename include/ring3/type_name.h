#pragma once

#include <cstddef>
#include <string_view>

namespace ring3::detail {

/// What the compiler wrote between `key` and the end of that template argument in the text of a function's own signature.
constexpr std::string_view argument_text(std::string_view signature, std::string_view key) {
  const std::size_t start = signature.find(key) + key.size();
  const std::size_t semi = signature.find(';', start);
  return signature.substr(start, (semi == std::string_view::npos ? signature.rfind(']') : semi) - start);
}

constexpr std::string_view last_component(std::string_view name) {
  if (const std::size_t colon = name.rfind(':'); colon != std::string_view::npos) name.remove_prefix(colon + 1);
  return name;
}

/// The compiler's spelling of T.
template <typename T>
constexpr std::string_view type_text() {
  return argument_text(__PRETTY_FUNCTION__, "T = ");
}

/// The last component of the name of a struct, as its BTF knows it.
template <typename T>
constexpr std::string_view plain_type_name() {
  std::string_view name = last_component(type_text<T>());
  if (name.starts_with("struct ")) name.remove_prefix(7);
  return name;
}

/// The last component of the name of the function or object Ptr points to; compilers write `f`, `&f`, `(& object)`.
template <auto Ptr>
constexpr std::string_view pointee_name() {
  std::string_view name = last_component(argument_text(__PRETTY_FUNCTION__, "Ptr = "));
  while (!name.empty() && (name.front() == '(' || name.front() == '&' || name.front() == ' ')) name.remove_prefix(1);
  while (!name.empty() && name.back() == ')') name.remove_suffix(1);
  return name;
}

}  // namespace ring3::detail
