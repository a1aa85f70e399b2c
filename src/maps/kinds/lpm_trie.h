// A binary trie with compressed paths: longest prefix match in as many steps as prefixes are nested or part.
//
// A node's children hold longer prefixes that start with the node's; the bit behind the node's prefix says which
// child. A node without a value stands where two prefixes part, so it always has two children.
//
// Readers take no lock and stay inside a read section: a node never changes but for its child links and for
// losing its value, is linked when it is complete, and is freed after readers. An update puts a new node in the
// place of the old one. Writers are serial (the map's lock). Each node is charged to an account until it is free.
#pragma once

#include <atomic>
#include <cstdint>

#include "maps/kinds/prefix.h"
#include "maps/memory_account.h"
#include "object/rcu.h"

namespace ring3::maps {

struct TrieNode {
  rcu::Deferred deferred;
  MemoryAccount* account;
  std::atomic<TrieNode*> child[2];
  std::uint16_t bits;                   // length of the prefix
  std::atomic<std::uint16_t> has_value;
  std::uint32_t bytes;                  // of the whole node

  std::uint64_t* words() { return reinterpret_cast<std::uint64_t*>(this + 1); }
  const std::uint64_t* words() const { return reinterpret_cast<const std::uint64_t*>(this + 1); }
};
static_assert(sizeof(TrieNode) % 8 == 0);
static_assert(kPrefixMaxBytes * 8 <= UINT16_MAX);

class LpmTrie {
 public:
  /// data_bytes: of a key without its length. value_bytes: room in a node, a multiple of 8.
  LpmTrie(std::uint32_t data_bytes, std::uint32_t value_bytes, MemoryAccount& account);
  LpmTrie(const LpmTrie&) = delete;
  LpmTrie& operator=(const LpmTrie&) = delete;
  /// No readers any more.
  ~LpmTrie();

  std::uint32_t max_bits() const { return data_bytes_ * 8; }
  std::uint32_t node_bytes() const { return node_bytes_; }
  std::uint32_t nodes() const { return nodes_.load(std::memory_order_relaxed); }
  std::byte* value(TrieNode* n) const { return reinterpret_cast<std::byte*>(n->words() + words_); }
  /// Writes the node's key: length and data.
  void write_key(const TrieNode* n, void* key) const noexcept;

  /// The longest prefix that covers the key, or null. Inside a read section, or with writers excluded.
  TrieNode* match(const void* key) const noexcept;

  // Writers are excluded by the caller for all that follows.

  /// A node for this key, not in the trie, value undefined; null: no memory.
  TrieNode* make(const void* key) noexcept;
  static void destroy(TrieNode* n) noexcept;
  /// The node with exactly this prefix and a value, or null.
  TrieNode* find(const void* key) const noexcept;
  /// Puts a node in; a node with the same prefix goes. False: no memory, nothing changed.
  bool insert(TrieNode* fresh) noexcept;
  /// Takes the node with exactly this prefix out; false: there is none.
  bool erase(const void* key) noexcept;

  /// Longer prefixes first: children before their parent, 0 before 1.
  TrieNode* first() const noexcept;
  /// key: of a node with a value; null: at the end.
  TrieNode* after(const void* key) const noexcept;

 private:
  using Words = PrefixWords<kPrefixMaxBytes / 8>;

  template <std::uint32_t kWords>
  TrieNode* match_words(const void* key) const noexcept;
  static TrieNode* first_below(TrieNode* n) noexcept;
  static Words words_of(const TrieNode* n, std::uint32_t bytes) noexcept;
  TrieNode* allocate() noexcept;
  void retire(TrieNode* n) noexcept;

  const std::uint32_t data_bytes_;
  const std::uint32_t words_;
  const std::uint32_t node_bytes_;
  MemoryAccount& account_;
  std::atomic<TrieNode*> root_{nullptr};
  std::atomic<std::uint32_t> nodes_{0};
};

}  // namespace ring3::maps
