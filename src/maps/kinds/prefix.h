// The prefixes that an LPM trie compares: a length in bits, and bytes whose first bits are the prefix.
//
// Bytes are kept as big-endian words: a bit is a shift away, and two prefixes are compared eight bytes at a time.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ring3::maps {

inline constexpr std::uint32_t kPrefixMaxBytes = 256;

/// Word `index` of `bytes` bytes of data; what lies beyond is zero.
inline std::uint64_t prefix_word(const std::byte* data, std::uint32_t bytes, std::uint32_t index) noexcept {
  const std::byte* at = data + std::size_t{8} * index;
  const std::uint32_t left = bytes - 8 * index;
  // By halves: whoever asks has often just stored 32 bits at a time, and a load of two such stores waits until both have reached the cache.
  if (left >= 8) {
    std::uint32_t half[2];
    std::memcpy(&half[0], at, 4);
    std::memcpy(&half[1], at + 4, 4);
    std::uint64_t high = __builtin_bswap32(half[0]);
#if defined(__x86_64__)
    asm("" : "+r"(high));  // else the compiler makes one load of them
#endif
    return high << 32 | __builtin_bswap32(half[1]);
  }
  if (left == 4) {
    std::uint32_t half = 0;
    std::memcpy(&half, at, 4);
    return std::uint64_t{__builtin_bswap32(half)} << 32;
  }
  std::uint64_t w = 0;
  std::memcpy(&w, at, left);
  return __builtin_bswap64(w);
}

/// Whether the first `bits` of two words differ, at most 64.
inline bool words_differ(std::uint64_t a, std::uint64_t b, std::uint32_t bits) noexcept {
  const std::uint64_t differ = bits != 0 ? a ^ b : 0;
  return differ >> (-bits & 63) != 0;
}

/// A key as a program or client passes it: struct { u32 prefixlen; u8 data[]; }, any alignment.
struct PrefixKey {
  std::uint32_t bits;
  const std::byte* data;

  explicit PrefixKey(const void* key) noexcept : data(static_cast<const std::byte*>(key) + sizeof bits) {
    std::memcpy(&bits, key, sizeof bits);
  }
};

/// The words of a key, read once per operation: those that its bytes need of kWords.
template <std::uint32_t kWords>
struct PrefixWords {
  std::array<std::uint64_t, kWords> w;

  PrefixWords(const std::byte* data, std::uint32_t bytes) noexcept {
    for (std::uint32_t i = 0; i < kWords && i * 8 < bytes; ++i) w[i] = prefix_word(data, bytes, i);
  }
  bool bit(std::uint32_t at) const noexcept {
    if constexpr (kWords == 1) return (w[0] << (at & 63)) >> 63 != 0;
    // Both are in registers: choosing is quicker than storing them and loading one.
    if constexpr (kWords == 2) return ((at & 64 ? w[1] : w[0]) << (at & 63)) >> 63 != 0;
    return (w[at / 64] << (at & 63)) >> 63 != 0;
  }
  /// Whether a stored prefix differs within its first `bits`. `same` words are known to be the same, and become more.
  bool differ(const std::uint64_t* stored, std::uint32_t bits, std::uint32_t& same) const noexcept {
    if constexpr (kWords == 1) return words_differ(stored[0], w[0], bits);
    for (; same < bits / 64; ++same)
      if (stored[same] != w[same]) return true;
    return bits % 64 != 0 && words_differ(stored[same], w[same], bits % 64);
  }
  /// Leading bits in common with a stored prefix that differs.
  std::uint32_t common(const std::uint64_t* stored) const noexcept {
    std::uint32_t i = 0;
    while (i + 1 < kWords && stored[i] == w[i]) ++i;
    return 64 * i + static_cast<std::uint32_t>(std::countl_zero(stored[i] ^ w[i]));
  }
};

/// Calls use(words of the key) with words of the size that is quickest for so many bytes of data, and returns what it does.
template <typename Use>
decltype(auto) with_prefix_words(const std::byte* data, std::uint32_t bytes, Use&& use) {
  if (bytes <= 8) return use(PrefixWords<1>(data, bytes));
  if (bytes <= 16) return use(PrefixWords<2>(data, bytes));
  return use(PrefixWords<kPrefixMaxBytes / 8>(data, bytes));
}

}  // namespace ring3::maps
