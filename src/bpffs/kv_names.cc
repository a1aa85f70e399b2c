#include "bpffs/kv_names.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <cstring>

namespace ring3::bpffs {
namespace {

bool plain(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/// The key as an integer of the machine, sign-extended for kSigned.
std::uint64_t integer(std::span<const std::byte> key, bool is_signed) {
  std::uint64_t value = 0;
  std::memcpy(&value, key.data(), key.size());
  const unsigned unused = 64 - 8 * static_cast<unsigned>(key.size());
  if (is_signed && unused != 0)
    value = static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
  return value;
}

std::string text_name(std::span<const std::byte> key) {
  std::size_t length = key.size();
  while (length != 0 && key[length - 1] == std::byte{0}) --length;
  if (length == 0) return "%";
  std::string out;
  for (const std::byte b : key.first(length)) {
    const auto c = static_cast<unsigned char>(b);
    out += plain(c) ? std::string(1, static_cast<char>(c)) : fmt::format("%{:02X}", c);
  }
  return out;
}

std::optional<std::byte> hex_byte(std::string_view digits) {
  unsigned value = 0;
  if (digits.size() != 2) return std::nullopt;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + 2, value, 16);
  if (error != std::errc{} || end != digits.data() + 2) return std::nullopt;
  return static_cast<std::byte>(value);
}

/// One byte per plain character or %XX, or per two hex digits.
std::optional<std::vector<std::byte>> decode(std::string_view name, bool hex) {
  std::vector<std::byte> out;
  while (!name.empty()) {
    if (!hex && name.front() != '%') {
      out.push_back(static_cast<std::byte>(name.front()));
      name.remove_prefix(1);
      continue;
    }
    const std::size_t skip = hex ? 0 : 1;
    const std::optional<std::byte> byte = hex_byte(name.substr(skip, 2));
    if (!byte) return std::nullopt;
    out.push_back(*byte);
    name.remove_prefix(skip + 2);
  }
  return out;
}

std::optional<std::vector<std::byte>> named_integer(std::string_view name, std::size_t size, bool is_signed) {
  std::uint64_t value = 0;
  std::from_chars_result end{};
  if (is_signed) {
    std::int64_t number = 0;
    end = std::from_chars(name.data(), name.data() + name.size(), number);
    value = static_cast<std::uint64_t>(number);
  } else {
    end = std::from_chars(name.data(), name.data() + name.size(), value);
  }
  if (end.ec != std::errc{} || end.ptr != name.data() + name.size()) return std::nullopt;
  std::vector<std::byte> key(size);
  std::memcpy(key.data(), &value, size);
  return key;
}

}  // namespace

KeyNames key_names(const maps::Map& map) {
  const maps::MapSpec& spec = map.spec();
  if (!spec.btf || spec.key_type == 0) {
    const bool array = spec.type == uapi::BPF_MAP_TYPE_ARRAY || spec.type == uapi::BPF_MAP_TYPE_PERCPU_ARRAY;
    return array ? KeyNames::kUnsigned : KeyNames::kHex;
  }
  const btf::TypeId type = spec.btf->skip_modifiers(spec.key_type);
  if (const auto number = spec.btf->integer(type); number && number->bits == 8 * map.key_size() && map.key_size() <= 8)
    return number->is_signed ? KeyNames::kSigned : KeyNames::kUnsigned;
  if (const auto array = spec.btf->array(type)) {
    const auto element = spec.btf->integer(spec.btf->skip_modifiers(array->elem));
    if (element && element->bits == 8) return KeyNames::kText;
  }
  return KeyNames::kHex;
}

std::string key_name(KeyNames scheme, std::span<const std::byte> key) {
  switch (scheme) {
    case KeyNames::kUnsigned: return fmt::format("{}", integer(key, false));
    case KeyNames::kSigned: return fmt::format("{}", static_cast<std::int64_t>(integer(key, true)));
    case KeyNames::kText: return text_name(key);
    case KeyNames::kHex: break;
  }
  std::string out = "x";
  for (const std::byte b : key) out += fmt::format("{:02x}", static_cast<unsigned>(b));
  return out;
}

std::optional<std::vector<std::byte>> named_key(KeyNames scheme, std::string_view name, std::size_t size) {
  std::optional<std::vector<std::byte>> key;
  switch (scheme) {
    case KeyNames::kUnsigned: key = named_integer(name, size, false); break;
    case KeyNames::kSigned: key = named_integer(name, size, true); break;
    case KeyNames::kText: key = name == "%" ? std::vector<std::byte>() : decode(name, false); break;
    case KeyNames::kHex:
      if (!name.starts_with('x')) return std::nullopt;
      key = decode(name.substr(1), true);
      break;
  }
  if (!key || key->size() > size) return std::nullopt;
  if (scheme == KeyNames::kText) key->resize(size);
  // A second spelling ("007", "%41") is no name.
  if (key->size() != size || key_name(scheme, *key) != name) return std::nullopt;
  return key;
}

}  // namespace ring3::bpffs
