#include "maps/kinds/lpm_trie.h"

#include <cstdlib>
#include <new>

#include "base/fault_point.h"
#include "maps/map_memory.h"

namespace ring3::maps {
namespace {

// Of the words a key has room for, only those it needs are compared.
template <std::uint32_t kWords>
bool same_prefix(const TrieNode* n, const PrefixWords<kWords>& key, std::uint32_t bits) noexcept {
  return n->bits == bits && common_bits(n->words(), key, bits) == bits;
}

}  // namespace

LpmTrie::LpmTrie(std::uint32_t data_bytes, std::uint32_t value_bytes, MemoryAccount& account)
    : data_bytes_(data_bytes),
      words_((data_bytes + 7) / 8),
      node_bytes_(static_cast<std::uint32_t>(sizeof(TrieNode)) + words_ * 8 + value_bytes),
      account_(account) {}

LpmTrie::~LpmTrie() {
  // Leaves first, without recursion: a path is as deep as a key has bits.
  TrieNode* above = nullptr;  // chain of ancestors through child[0], which is taken apart on the way down
  for (TrieNode* n = root_.load(std::memory_order_relaxed); n;) {
    TrieNode* left = n->child[0].load(std::memory_order_relaxed);
    TrieNode* right = n->child[1].load(std::memory_order_relaxed);
    if (left || right) {
      TrieNode* down = left ? left : right;
      n->child[left ? 0 : 1].store(nullptr, std::memory_order_relaxed);
      // What is left of n waits: its link up takes the place of the child we went to.
      n->deferred.opaque[0] = above;
      above = n;
      n = down;
    } else {
      destroy(n);
      n = above;
      if (above) above = static_cast<TrieNode*>(above->deferred.opaque[0]);
    }
  }
}

void LpmTrie::write_key(const TrieNode* n, void* key) const noexcept {
  auto* to = static_cast<std::byte*>(key);
  const std::uint32_t bits = n->bits;
  std::memcpy(to, &bits, sizeof bits);
  to += sizeof bits;
  for (std::uint32_t off = 0; off < data_bytes_; off += 8) {
    const std::uint64_t w = __builtin_bswap64(n->words()[off / 8]);
    std::memcpy(to + off, &w, data_bytes_ - off < 8 ? data_bytes_ - off : 8);
  }
}

template <std::uint32_t kWords>
TrieNode* LpmTrie::match_words(const void* key) const noexcept {
  const PrefixKey want(key);
  if (want.bits > max_bits()) return nullptr;
  const PrefixWords<kWords> words(want.data, data_bytes_);
  TrieNode* found = nullptr;
  for (TrieNode* n = root_.load(std::memory_order_acquire); n && n->bits <= want.bits;) {
    if (common_bits(n->words(), words, n->bits) < n->bits) break;
    if (n->has_value.load(std::memory_order_relaxed)) found = n;
    if (n->bits == want.bits) break;
    n = n->child[words.bit(n->bits)].load(std::memory_order_acquire);
  }
  return found;
}

TrieNode* LpmTrie::match(const void* key) const noexcept {
  if (words_ == 1) return match_words<1>(key);
  if (words_ == 2) return match_words<2>(key);
  return match_words<kPrefixMaxBytes / 8>(key);
}

LpmTrie::Words LpmTrie::words_of(const TrieNode* n, std::uint32_t bytes) noexcept {
  Words words(nullptr, 0);
  for (std::uint32_t i = 0; i * 8 < bytes; ++i) words.w[i] = n->words()[i];
  return words;
}

TrieNode* LpmTrie::allocate() noexcept {
  if (fault_point() || !account_.charge(node_bytes_)) return nullptr;
  void* block = std::malloc(node_bytes_);
  if (!block) {
    account_.give_back(node_bytes_);
    return nullptr;
  }
  auto* n = new (block) TrieNode;
  n->account = &account_;
  n->bytes = node_bytes_;
  n->child[0].store(nullptr, std::memory_order_relaxed);
  n->child[1].store(nullptr, std::memory_order_relaxed);
  return n;
}

TrieNode* LpmTrie::make(const void* key) noexcept {
  TrieNode* n = allocate();
  if (!n) return nullptr;
  const PrefixKey k(key);
  n->bits = static_cast<std::uint16_t>(k.bits);
  n->has_value.store(1, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < words_; ++i) n->words()[i] = prefix_word(k.data, data_bytes_, i);
  return n;
}

void LpmTrie::destroy(TrieNode* n) noexcept {
  MemoryAccount* const account = n->account;
  const std::uint32_t bytes = n->bytes;
  std::free(n);
  account->give_back(bytes);
}

void LpmTrie::retire(TrieNode* n) noexcept {
  nodes_.fetch_sub(1, std::memory_order_relaxed);
  rcu::call_after_readers(&n->deferred, [](rcu::Deferred* d) { destroy(reinterpret_cast<TrieNode*>(d)); });
}

TrieNode* LpmTrie::find(const void* key) const noexcept {
  const PrefixKey want(key);
  if (want.bits > max_bits()) return nullptr;
  const Words words(want.data, data_bytes_);
  TrieNode* n = root_.load(std::memory_order_relaxed);
  while (n && n->bits < want.bits && common_bits(n->words(), words, n->bits) == n->bits)
    n = n->child[words.bit(n->bits)].load(std::memory_order_relaxed);
  return n && same_prefix(n, words, want.bits) && n->has_value.load(std::memory_order_relaxed) ? n : nullptr;
}

bool LpmTrie::insert(TrieNode* fresh) noexcept {
  const Words words = words_of(fresh, data_bytes_);
  std::atomic<TrieNode*>* link = &root_;
  TrieNode* at = link->load(std::memory_order_relaxed);
  std::uint32_t common = 0;
  while (at) {
    common = common_bits(at->words(), words, at->bits < fresh->bits ? at->bits : fresh->bits);
    if (common < at->bits || at->bits == fresh->bits) break;
    link = &at->child[words.bit(at->bits)];
    at = link->load(std::memory_order_relaxed);
  }
  const auto side_of = [&](TrieNode* n, std::uint32_t bit) { return words_of(n, data_bytes_).bit(bit); };
  if (!at) {
    link->store(fresh, std::memory_order_release);
  } else if (at->bits == fresh->bits && common == fresh->bits) {
    for (int side = 0; side < 2; ++side)
      fresh->child[side].store(at->child[side].load(std::memory_order_relaxed), std::memory_order_relaxed);
    link->store(fresh, std::memory_order_release);
    retire(at);
  } else if (common == fresh->bits) {
    fresh->child[side_of(at, common)].store(at, std::memory_order_relaxed);
    link->store(fresh, std::memory_order_release);
  } else {
    // The two part behind `common` bits, where nobody stands yet.
    TrieNode* fork = allocate();
    if (!fork) return false;
    fork->bits = static_cast<std::uint16_t>(common);
    fork->has_value.store(0, std::memory_order_relaxed);
    std::memcpy(fork->words(), fresh->words(), words_ * 8);
    const bool side = words.bit(common);
    fork->child[side].store(fresh, std::memory_order_relaxed);
    fork->child[!side].store(at, std::memory_order_relaxed);
    link->store(fork, std::memory_order_release);
    nodes_.fetch_add(1, std::memory_order_relaxed);
  }
  nodes_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool LpmTrie::erase(const void* key) noexcept {
  const PrefixKey want(key);
  if (want.bits > max_bits()) return false;
  const Words words(want.data, data_bytes_);
  std::atomic<TrieNode*>* link = &root_;
  std::atomic<TrieNode*>* link_of_parent = nullptr;
  TrieNode* parent = nullptr;
  TrieNode* n = link->load(std::memory_order_relaxed);
  while (n && n->bits < want.bits && common_bits(n->words(), words, n->bits) == n->bits) {
    link_of_parent = link;
    parent = n;
    link = &n->child[words.bit(n->bits)];
    n = link->load(std::memory_order_relaxed);
  }
  if (!n || !same_prefix(n, words, want.bits) || !n->has_value.load(std::memory_order_relaxed)) return false;
  TrieNode* left = n->child[0].load(std::memory_order_relaxed);
  TrieNode* right = n->child[1].load(std::memory_order_relaxed);
  if (left && right) {
    // It stays as the place where its children part.
    n->has_value.store(0, std::memory_order_relaxed);
    return true;
  }
  if (!left && !right && parent && !parent->has_value.load(std::memory_order_relaxed)) {
    // The parent stood only where n and its sibling part.
    TrieNode* sibling = parent->child[link == &parent->child[0]].load(std::memory_order_relaxed);
    link_of_parent->store(sibling, std::memory_order_release);
    retire(parent);
  } else {
    link->store(left ? left : right, std::memory_order_release);
  }
  retire(n);
  return true;
}

TrieNode* LpmTrie::first_below(TrieNode* n) noexcept {
  while (n) {
    TrieNode* down = n->child[0].load(std::memory_order_relaxed);
    if (!down) down = n->child[1].load(std::memory_order_relaxed);
    if (!down) break;
    n = down;
  }
  return n;
}

TrieNode* LpmTrie::first() const noexcept { return first_below(root_.load(std::memory_order_relaxed)); }

TrieNode* LpmTrie::after(const void* key) const noexcept {
  const PrefixKey want(key);
  const Words words(want.data, data_bytes_);
  // Behind a node comes the nearest ancestor, unless that one has a child on the other side not yet walked.
  TrieNode* next = nullptr;
  bool next_is_subtree = false;
  TrieNode* n = root_.load(std::memory_order_relaxed);
  while (n->bits < want.bits) {
    const bool side = words.bit(n->bits);
    TrieNode* other = n->child[1].load(std::memory_order_relaxed);
    if (!side && other) {
      next = other;
      next_is_subtree = true;
    } else if (n->has_value.load(std::memory_order_relaxed)) {
      next = n;
      next_is_subtree = false;
    }
    n = n->child[side].load(std::memory_order_relaxed);
  }
  return next_is_subtree ? first_below(next) : next;
}

}  // namespace ring3::maps
