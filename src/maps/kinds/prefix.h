// The prefixes that an LPM trie compares: a length in bits, and bytes whose first bits are the prefix.
//
// Bytes are kept as big-endian words, so that the common length of two prefixes is a count of leading zeros
// of their difference, eight bytes at a time.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace ring3::maps {

inline constexpr std::uint32_t kPrefixMaxBytes = 256;

/// Word `index` of `bytes` bytes of data; what lies beyond is zero.
inline std::uint64_t prefix_word(const std::byte* data, std::uint32_t bytes, std::uint32_t index) noexcept {
  std::uint64_t w = 0;
  const std::uint32_t off = index * 8;
  // The common sizes by one load each.
  if (bytes - off >= 8)
    std::memcpy(&w, data + off, 8);
  else if (bytes - off == 4)
    std::memcpy(&w, data + off, 4);
  else
    std::memcpy(&w, data + off, bytes - off);
  return __builtin_bswap64(w);
}

/// A key as a program or client passes it: struct { u32 prefixlen; u8 data[]; }, any alignment.
struct PrefixKey {
  std::uint32_t bits;
  const std::byte* data;

  explicit PrefixKey(const void* key) noexcept : data(static_cast<const std::byte*>(key) + sizeof bits) {
    std::memcpy(&bits, key, sizeof bits);
  }
};

/// The words of a key, read once per operation.
template <std::uint32_t kWords>
struct PrefixWords {
  std::array<std::uint64_t, kWords> w;

  PrefixWords(const std::byte* data, std::uint32_t bytes) noexcept {
    for (std::uint32_t i = 0; i < kWords && i * 8 < bytes; ++i) w[i] = prefix_word(data, bytes, i);
  }
  bool bit(std::uint32_t at) const noexcept { return (w[at / 64] >> (63 - at % 64) & 1) != 0; }
};

/// Leading bits that a stored prefix and a key have in common, at most `limit`.
template <std::uint32_t kWords>
std::uint32_t common_bits(const std::uint64_t* stored, const PrefixWords<kWords>& key, std::uint32_t limit) noexcept {
  std::uint32_t common = 0;
  for (std::uint32_t i = 0; i < kWords && common < limit; ++i, common += 64) {
    const std::uint64_t differ = stored[i] ^ key.w[i];
    if (differ == 0) continue;
    common += static_cast<std::uint32_t>(std::countl_zero(differ));
    return common < limit ? common : limit;
  }
  return limit;
}

}  // namespace ring3::maps
