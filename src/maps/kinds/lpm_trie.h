// A binary trie with compressed paths: longest prefix match in as many steps as prefixes are nested or part.
//
// A node's children hold longer prefixes that start with the node's; the bit behind the node's prefix says which
// child. A node without a value stands where two prefixes part, so it always has two children.
//
// Readers take no lock and stay inside a read section: a node never changes but for its child links and for
// losing its value, is linked when it is complete, and is used again after readers (trie_nodes.h). An update puts a new node in the
// place of the old one. Writers look for their place as readers do, under no lock, then take the map's lock and find out whether it
// is still the place: what two writers wait for each other for is a few stores.
#pragma once

#include <atomic>
#include <cstdint>

#include "maps/kinds/prefix.h"
#include "maps/kinds/trie_node.h"
#include "maps/kinds/trie_nodes.h"

namespace ring3::maps {

/// Where a prefix is, or would be: the link `side` of `parent`, which led to `node` when somebody looked.
struct TriePlace {
  TrieNode* grandparent = nullptr;  // null: parent is the root
  TrieNode* parent = nullptr;
  TrieNode* node = nullptr;
  std::uint32_t bits = 0;           // of the prefix
  std::uint32_t common = 0;         // bits it has in common with node's; at most the lengths of both
  bool parent_side = false;
  bool side = false;

  /// node has exactly this prefix.
  bool same() const { return node != nullptr && node->bits == bits && common == bits; }
  /// Exactly this prefix has a value.
  bool taken() const { return same() && node->has_value.load(std::memory_order_relaxed); }
  /// It and node's part before either ends: a node has to be put there.
  bool parts() const { return node != nullptr && common < bits && common < node->bits; }
};

class LpmTrie {
 public:
  /// data_bytes: of a key without its length. value_bytes: room in a node, a multiple of 8.
  static constexpr std::uint32_t node_bytes(std::uint32_t data_bytes, std::uint32_t value_bytes) {
    return static_cast<std::uint32_t>(sizeof(TrieNode)) + (data_bytes + 7) / 8 * 8 + value_bytes + TrieNodes::kLinkBytes;
  }
  explicit LpmTrie(std::uint32_t data_bytes) : data_bytes_(data_bytes), words_((data_bytes + 7) / 8) {}
  LpmTrie(const LpmTrie&) = delete;
  LpmTrie& operator=(const LpmTrie&) = delete;
  /// Takes all nodes out. No readers and no writers any more.
  void clear(TrieNodes& nodes) noexcept;

  std::uint32_t data_bytes() const { return data_bytes_; }
  std::uint32_t max_bits() const { return data_bytes_ * 8; }
  std::byte* value(TrieNode* n) const { return reinterpret_cast<std::byte*>(n->words() + words_); }
  /// A node's key: length and data.
  void write_key(const TrieNode* n, void* key) const noexcept;

  /// The longest prefix that covers the key, or null. Inside a read section, or with writers excluded.
  template <std::uint32_t kWords>
  TrieNode* match(std::uint32_t bits, const PrefixWords<kWords>& words) const noexcept;
  TrieNode* match(const void* key) const noexcept;
  /// Likewise; the key is no longer than max_bits().
  TriePlace place_of(const void* key) noexcept;

  /// Makes a node that was just taken one of this key, with a value (undefined).
  void fill(TrieNode* n, const void* key) const noexcept;

  // Writers are excluded by the caller for all that follows.

  /// Whether the place is still what it was. to_erase: and what is above it, which an erase may change.
  static bool still(const TriePlace& place, bool to_erase) noexcept {
    // What has left keeps its links, for readers who stand there, so that it is marked. Nothing that somebody saw in a link comes
    // back there: it is used again only after readers, of which whoever looked is one.
    if (place.parent->left || place.parent->at(place.side) != place.node) return false;
    if (!to_erase || place.grandparent == nullptr) return true;
    return !place.grandparent->left && place.grandparent->at(place.parent_side) == place.parent;
  }
  /// Puts a filled node into its place. fork: a node for where prefixes part, iff place.parts(). The node that left, or null.
  TrieNode* insert(const TriePlace& place, TrieNode* fresh, TrieNode* fork) noexcept;
  /// Takes the value out of a place that is taken. The nodes that left, or null.
  struct Left {
    TrieNode* node = nullptr;
    TrieNode* parent = nullptr;
  };
  static Left erase(const TriePlace& place) noexcept;

  /// Longer prefixes first: children before their parent, 0 before 1.
  TrieNode* first() const noexcept;
  /// key: of a node with a value; null: at the end.
  TrieNode* after(const void* key) const noexcept;

 private:
  template <std::uint32_t kWords>
  TriePlace place(std::uint32_t bits, const PrefixWords<kWords>& words) noexcept;
  static TrieNode* first_below(TrieNode* n) noexcept;
  static bool bit_of(const TrieNode* n, std::uint32_t at) noexcept {
    return (n->words()[at / 64] << (at & 63)) >> 63 != 0;
  }

  const std::uint32_t data_bytes_;
  const std::uint32_t words_;
  alignas(64) TrieNode root_{};  // its link 0 leads to the first node; it has no prefix and never leaves
};

template <std::uint32_t kWords>
inline TrieNode* LpmTrie::match(std::uint32_t wanted, const PrefixWords<kWords>& words) const noexcept {
  TrieNode* found = nullptr;
  TrieNode* n = root_.child[0].load(std::memory_order_acquire);
  std::uint32_t bits = root_.child_bits[0].load(std::memory_order_relaxed);
  std::uint32_t same = 0;
  while (n != nullptr) {
    if (n->bits != bits) [[unlikely]] {
      // A writer was between the halves of the link.
      bits = n->bits;
#if defined(__GNUC__)
      asm("" : "+r"(bits));  // else the compiler waits for n->bits in every case
#endif
    }
    if (bits > wanted || words.differ(n->words(), bits, same)) break;
    if (n->has_value.load(std::memory_order_relaxed)) found = n;
    if (bits == wanted) break;
    const bool side = words.bit(bits);
    bits = n->child_bits[side].load(std::memory_order_relaxed);
    n = n->child[side].load(std::memory_order_acquire);
  }
  return found;
}

}  // namespace ring3::maps
