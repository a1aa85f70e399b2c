// A node of an LPM trie: a prefix, with a value or as the place where two longer ones part. Behind the header follow the words of
// the prefix (prefix.h), the value area, and the link of lists of nodes that are in no trie (trie_nodes.h).
//
// What a lookup reads on its way comes first and is small, so that it is one cache line mostly. A link says how long the prefix
// behind it is: which bit is looked at next is known before the next node has come from memory. The two halves of a link are
// written one after the other, so a reader believes the length only if the node says the same.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "maps/kinds/prefix.h"

namespace ring3::maps {

struct TrieNode {
  std::atomic<TrieNode*> child[2];
  std::atomic<std::uint16_t> child_bits[2];   // the children's `bits`, if there are children
  std::uint16_t bits;                         // length of the prefix
  std::atomic<bool> has_value;
  bool left;                                  // it has left the trie; written and read by who holds the writers' lock

  std::uint64_t* words() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* words() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }

  TrieNode* at(bool side) const noexcept { return child[side].load(std::memory_order_relaxed); }
  /// to: complete; null: nobody there any more.
  void link(bool side, TrieNode* to) noexcept {
    if (to != nullptr) child_bits[side].store(to->bits, std::memory_order_relaxed);
    child[side].store(to, std::memory_order_release);
  }
};
static_assert(sizeof(TrieNode) == 24);
static_assert(kPrefixMaxBytes * 8 <= UINT16_MAX);

}  // namespace ring3::maps
