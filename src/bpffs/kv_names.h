// Names of a map's keys in its kv/ folder. Every key has one name, every name leads back to its key, byte for byte.
//
//   integer keys (by BTF; arrays without BTF)   decimal, signed as the type is: "-3"
//   character arrays (by BTF)                   the text up to its last byte that is not zero; a byte that is no letter,
//                                               digit, '-' or '_' as %XX; the empty text as "%"
//   everything else                             hex, two digits a byte, in memory order: "x0a0b0c0d"
//
// No name contains a dot, so "NAME.json" is free for the same value as JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maps/map.h"

namespace ring3::bpffs {

enum class KeyNames { kUnsigned, kSigned, kText, kHex };

KeyNames key_names(const maps::Map& map);
/// Longer than 255 - 5 bytes: such a key has no file.
std::string key_name(KeyNames scheme, std::span<const std::byte> key);
/// Nothing: no key of `size` bytes is called so (another spelling of a key's name included).
std::optional<std::vector<std::byte>> named_key(KeyNames scheme, std::string_view name, std::size_t size);

}  // namespace ring3::bpffs
