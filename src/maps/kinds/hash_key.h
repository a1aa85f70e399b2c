// Keys of hash maps whose size is known when code is compiled: 4 and 8 bytes, and the multiples of 4 up to kLongestKey, which
// addresses and ports make (12, 16, 20, 36, 40). Others are hashed by XXH3.
//
// The hash folds 128-bit products, halves laid over each other, of the key's words and numbers that depend on the seed, as
// wyhash, aHash and foldhash do. Why that is enough: every bit of a word moves about half of the product's bits as long as the
// other factor is odd or unknown; two keys that differ collide for one seed in about 2^32, as the seed is not known to
// whoever chooses keys; a factor is zero for one word in 2^64, and which one is as secret as the seed. Without a seed
// (BPF_F_ZERO_SEED) the constants keep keys of zeroes from being that word. HashKeyTest holds the length of chains for
// counted, strided and one-bit keys to what chance gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ring3::maps {

inline constexpr std::uint32_t kLongestKey = 40;
constexpr bool has_hash_key(std::uint32_t key_bytes) { return key_bytes % 4 == 0 && key_bytes <= kLongestKey; }

inline std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}
constexpr std::uint64_t odd_factor(std::uint64_t seed) { return (seed << 1) | 0x9e3779b97f4a7c15; }

/// Of one word.
inline std::uint32_t hash_of_word(std::uint64_t word, std::uint64_t seed) noexcept {
  const std::uint64_t folded = folded_product(word ^ seed, odd_factor(seed));
  return static_cast<std::uint32_t>(folded ^ (folded >> 32));
}

/// Of several, two by two; a last one stands alone.
inline std::uint32_t hash_of_words(const std::uint64_t* words, std::size_t count, std::uint64_t seed) noexcept {
  constexpr std::uint64_t kStart = 0xd6e8feb86659fd93;
  const std::uint64_t factor = odd_factor(seed);
  std::uint64_t folded = seed ^ kStart;
  std::size_t i = 0;
  for (; i + 1 < count; i += 2) folded = folded_product(words[i] ^ folded, words[i + 1] ^ factor) + factor;
  if (i < count) folded = folded_product(words[i] ^ folded, factor) + factor;
  folded = folded_product(folded, factor);  // one multiplication alone leaves counted words in steps
  return static_cast<std::uint32_t>(folded ^ (folded >> 32));
}

/// A key of one word.
template <typename Word>
class WordKey {
 public:
  static constexpr std::uint32_t kStoredBytes = 8;

  explicit WordKey(const void* key) noexcept { std::memcpy(&word_, key, sizeof word_); }
  std::uint32_t hash(std::uint64_t seed) const noexcept { return hash_of_word(word_, seed); }
  /// Whether an element has it, which may be changing.
  bool is_at(const std::byte* stored) const noexcept { return __atomic_load_n(reinterpret_cast<const Word*>(stored), __ATOMIC_RELAXED) == word_; }

 private:
  Word word_;
};

/// A key of several. Stored keys are padded with zeros to whole words.
template <std::uint32_t kBytes>
class WordsKey {
 public:
  static_assert(kBytes > 8 && has_hash_key(kBytes));
  static constexpr std::uint32_t kWords = (kBytes + 7) / 8;
  static constexpr std::uint32_t kStoredBytes = 8 * kWords;

  explicit WordsKey(const void* key) noexcept {
    const auto* bytes = static_cast<const std::byte*>(key);
    for (std::uint32_t i = 0; i < kBytes / 8; ++i) words_[i] = loaded<std::uint64_t>(bytes + std::size_t{8} * i);
    if (kBytes % 8 != 0) words_[kWords - 1] = loaded<std::uint32_t>(bytes + kBytes / 8 * 8);
  }
  std::uint32_t hash(std::uint64_t seed) const noexcept { return hash_of_words(words_, kWords, seed); }
  bool is_at(const std::byte* stored) const noexcept {
    std::uint64_t other = 0;
    for (std::uint32_t i = 0; i < kWords; ++i)
      other |= words_[i] ^ __atomic_load_n(reinterpret_cast<const std::uint64_t*>(stored) + i, __ATOMIC_RELAXED);
    return other == 0;
  }

 private:
  /// Word by word: programs have just stored the key so, and a load of two words at once waits until both have reached the cache.
  template <typename Word>
  static std::uint64_t loaded(const std::byte* at) noexcept {
    Word word;
    std::memcpy(&word, at, sizeof word);
    std::uint64_t value = word;
#if defined(__x86_64__)
    asm("" : "+r"(value));
#endif
    return value;
  }

  std::uint64_t words_[kWords];
};

/// Calls `use.template operator()<Key>()` with the Key of this size; false: there is none.
template <typename Use>
bool with_hash_key(std::uint32_t key_bytes, Use&& use) {
  switch (key_bytes) {
    case 4: use.template operator()<WordKey<std::uint32_t>>(); return true;
    case 8: use.template operator()<WordKey<std::uint64_t>>(); return true;
    case 12: use.template operator()<WordsKey<12>>(); return true;
    case 16: use.template operator()<WordsKey<16>>(); return true;
    case 20: use.template operator()<WordsKey<20>>(); return true;
    case 24: use.template operator()<WordsKey<24>>(); return true;
    case 28: use.template operator()<WordsKey<28>>(); return true;
    case 32: use.template operator()<WordsKey<32>>(); return true;
    case 36: use.template operator()<WordsKey<36>>(); return true;
    case 40: use.template operator()<WordsKey<40>>(); return true;
    default: return false;
  }
}

}  // namespace ring3::maps
