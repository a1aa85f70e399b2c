// Copies between private memory and map memory that programs read and write at the same time.
//
// The map's side is accessed by relaxed atomics of the largest aligned width, so that a reader sees each
// aligned word whole, as BPF programs may expect of 1, 2, 4 and 8 byte fields, and so that the race
// with a program is no race in the language's sense. The private side may have any alignment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ring3::maps {

template <typename Word>
inline void load_word(std::byte* to, const std::byte* shared) noexcept {
  const Word w = __atomic_load_n(reinterpret_cast<const Word*>(shared), __ATOMIC_RELAXED);
  std::memcpy(to, &w, sizeof w);
}

template <typename Word>
inline void store_word(std::byte* shared, const std::byte* from) noexcept {
  Word w;
  std::memcpy(&w, from, sizeof w);
  __atomic_store_n(reinterpret_cast<Word*>(shared), w, __ATOMIC_RELAXED);
}

/// Walks [0, size) in aligned words of the shared side; step(width tag, offset) for each.
template <typename Step>
inline void for_each_word(std::uintptr_t shared, std::size_t size, Step step) noexcept {
  std::size_t off = 0;
  while (off < size) {
    const std::uintptr_t at = shared + off;
    const std::size_t left = size - off;
    if (at % 8 == 0 && left >= 8) {
      step(std::uint64_t{}, off);
      off += 8;
    } else if (at % 4 == 0 && left >= 4) {
      step(std::uint32_t{}, off);
      off += 4;
    } else if (at % 2 == 0 && left >= 2) {
      step(std::uint16_t{}, off);
      off += 2;
    } else {
      step(std::uint8_t{}, off);
      off += 1;
    }
  }
}

inline void load_shared(void* to, const void* shared, std::size_t size) noexcept {
  auto* t = static_cast<std::byte*>(to);
  auto* s = static_cast<const std::byte*>(shared);
  for_each_word(reinterpret_cast<std::uintptr_t>(s), size,
                [&](auto tag, std::size_t off) { load_word<decltype(tag)>(t + off, s + off); });
}

inline void store_shared(void* shared, const void* from, std::size_t size) noexcept {
  auto* s = static_cast<std::byte*>(shared);
  auto* f = static_cast<const std::byte*>(from);
  for_each_word(reinterpret_cast<std::uintptr_t>(s), size,
                [&](auto tag, std::size_t off) { store_word<decltype(tag)>(s + off, f + off); });
}

inline void zero_shared(void* shared, std::size_t size) noexcept {
  auto* s = static_cast<std::byte*>(shared);
  for_each_word(reinterpret_cast<std::uintptr_t>(s), size, [&](auto tag, std::size_t off) {
    __atomic_store_n(reinterpret_cast<decltype(tag)*>(s + off), decltype(tag){0}, __ATOMIC_RELAXED);
  });
}

/// Map memory to map memory (an element moved or copied inside the map).
inline void copy_shared(void* to, const void* from, std::size_t size) noexcept {
  auto* t = static_cast<std::byte*>(to);
  auto* f = static_cast<const std::byte*>(from);
  for_each_word(reinterpret_cast<std::uintptr_t>(t), size, [&](auto tag, std::size_t off) {
    using Word = decltype(tag);
    std::byte word[sizeof(Word)];
    load_word<Word>(word, f + off);
    store_word<Word>(t + off, word);
  });
}

}  // namespace ring3::maps
