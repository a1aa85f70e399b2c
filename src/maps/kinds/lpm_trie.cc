#include "maps/kinds/lpm_trie.h"

#include <algorithm>

namespace ring3::maps {

void LpmTrie::clear(TrieNodes& nodes) noexcept {
  // Without recursion, as a path may be as deep as a key has bits: what has a left child is hung to the right of it.
  for (TrieNode* n = root_.at(false); n != nullptr;) {
    TrieNode* const left = n->at(false);
    TrieNode* const right = n->at(true);
    if (left != nullptr) {
      n->link(false, left->at(true));
      left->link(true, n);
      n = left;
    } else {
      nodes.free_at_once(n);
      n = right;
    }
  }
  root_.link(false, nullptr);
}

void LpmTrie::write_key(const TrieNode* n, void* key) const noexcept {
  auto* to = static_cast<std::byte*>(key);
  const std::uint32_t bits = n->bits;
  std::memcpy(to, &bits, sizeof bits);
  to += sizeof bits;
  for (std::uint32_t off = 0; off < data_bytes_; off += 8) {
    const std::uint64_t w = __builtin_bswap64(n->words()[off / 8]);
    std::memcpy(to + off, &w, std::min(data_bytes_ - off, 8u));
  }
}

TrieNode* LpmTrie::match(const void* key) const noexcept {
  const PrefixKey want(key);
  if (want.bits > max_bits()) return nullptr;
  return with_prefix_words(want.data, data_bytes_, [&](const auto& words) { return match(want.bits, words); });
}

template <std::uint32_t kWords>
TriePlace LpmTrie::place(std::uint32_t bits, const PrefixWords<kWords>& words) noexcept {
  TriePlace place{.parent = &root_, .bits = bits};
  std::uint32_t same = 0;
  while ((place.node = place.parent->child[place.side].load(std::memory_order_acquire)) != nullptr) {
    TrieNode* const n = place.node;
    const std::uint32_t both = std::min<std::uint32_t>(n->bits, bits);
    const bool differ = words.differ(n->words(), both, same);
    if (differ || n->bits >= bits) {
      place.common = differ ? words.common(n->words()) : bits;
      break;
    }
    place.grandparent = place.parent;
    place.parent_side = place.side;
    place.parent = n;
    place.side = words.bit(n->bits);
  }
  return place;
}

TriePlace LpmTrie::place_of(const void* key) noexcept {
  const PrefixKey want(key);
  return with_prefix_words(want.data, data_bytes_, [&](const auto& words) { return place(want.bits, words); });
}

void LpmTrie::fill(TrieNode* n, const void* key) const noexcept {
  const PrefixKey k(key);
  for (auto& child : n->child) child.store(nullptr, std::memory_order_relaxed);
  n->bits = static_cast<std::uint16_t>(k.bits);
  n->has_value.store(true, std::memory_order_relaxed);
  n->left = false;
  for (std::uint32_t i = 0; i < words_; ++i) n->words()[i] = prefix_word(k.data, data_bytes_, i);
}

TrieNode* LpmTrie::insert(const TriePlace& place, TrieNode* fresh, TrieNode* fork) noexcept {
  TrieNode* const at = place.node;
  if (place.same()) {
    for (const bool side : {false, true}) fresh->link(side, at->at(side));
    at->left = true;
    place.parent->link(place.side, fresh);
    return at;
  }
  TrieNode* top = fresh;
  if (place.parts()) {
    const bool side = bit_of(fresh, place.common);
    fork->bits = static_cast<std::uint16_t>(place.common);
    fork->has_value.store(false, std::memory_order_relaxed);
    fork->left = false;
    std::copy_n(fresh->words(), words_, fork->words());
    fork->link(side, fresh);
    fork->link(!side, at);
    top = fork;
  } else if (at != nullptr) {
    fresh->link(bit_of(at, fresh->bits), at);
  }
  place.parent->link(place.side, top);
  return nullptr;
}

LpmTrie::Left LpmTrie::erase(const TriePlace& place) noexcept {
  TrieNode* const n = place.node;
  TrieNode* const parent = place.parent;
  TrieNode* const left = n->at(false);
  TrieNode* const right = n->at(true);
  if (left != nullptr && right != nullptr) {
    // It stays as the place where its children part.
    n->has_value.store(false, std::memory_order_relaxed);
    return {};
  }
  n->left = true;
  if (left != nullptr || right != nullptr || place.grandparent == nullptr || parent->has_value.load(std::memory_order_relaxed)) {
    parent->link(place.side, left != nullptr ? left : right);
    return {n, nullptr};
  }
  // The parent stood only where n and its sibling part.
  parent->left = true;
  place.grandparent->link(place.parent_side, parent->at(!place.side));
  return {n, parent};
}

TrieNode* LpmTrie::first_below(TrieNode* n) noexcept {
  while (n) {
    TrieNode* down = n->at(false);
    if (!down) down = n->at(true);
    if (!down) break;
    n = down;
  }
  return n;
}

TrieNode* LpmTrie::first() const noexcept { return first_below(root_.at(false)); }

TrieNode* LpmTrie::after(const void* key) const noexcept {
  const PrefixKey want(key);
  const PrefixWords<kPrefixMaxBytes / 8> words(want.data, data_bytes_);
  // Behind a node comes the nearest ancestor, unless that one has a child on the other side not yet walked.
  TrieNode* next = nullptr;
  bool next_is_subtree = false;
  TrieNode* n = root_.at(false);
  while (n->bits < want.bits) {
    const bool side = words.bit(n->bits);
    TrieNode* other = n->at(true);
    if (!side && other) {
      next = other;
      next_is_subtree = true;
    } else if (n->has_value.load(std::memory_order_relaxed)) {
      next = n;
      next_is_subtree = false;
    }
    n = n->at(side);
  }
  return next_is_subtree ? first_below(next) : next;
}

}  // namespace ring3::maps
