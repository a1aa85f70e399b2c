// Where the elements of a hash come from: a pool made with the map (never allocates afterwards), or the
// heap (BPF_F_NO_PREALLOC), which charges the account of the runtime's maps for each block until it is free. Thread-safe, never
// blocks; stores do not count elements, tables do.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "maps/field_owners.h"
#include "maps/kinds/element.h"
#include "maps/kinds/hash_table.h"
#include "maps/map_memory.h"
#include "maps/memory_account.h"
#include "ring3/result.h"

namespace ring3::maps {

class ElementStore {
 public:
  virtual ~ElementStore() = default;
  /// An element with odd seq, its per-CPU copies (if any) attached, contents undefined; null: none left.
  /// hint spreads contention (a hash); its shard is held.
  virtual Element* take(std::uint32_t hint) noexcept = 0;
  /// Gives back an element that is in no table any more; readers may still look at it.
  virtual void give(Element* e, std::uint32_t hint) noexcept = 0;
  /// Whether recycle() may be used: the next element to come in may be this one, at once.
  virtual bool recycles() const noexcept { return false; }
  /// give() with the shard of hint held, of an element that owns nothing.
  virtual void recycle(Element* e, std::uint32_t hint) noexcept { give(e, hint); }
  /// take() of what is kept anywhere, when there was no memory. No shard is held.
  virtual Element* take_kept() noexcept { return nullptr; }
  /// Frees an element at once. Only in the map's destructor.
  virtual void destroy(Element* e) noexcept = 0;
  /// Elements that may be in no table and still hold something: how many, and each. A pool's only.
  virtual std::uint32_t used() const noexcept { return 0; }
  virtual Element* at(std::uint32_t) const noexcept { return nullptr; }
  virtual std::uint64_t memory_bytes() const = 0;
  /// Bytes between the copies of two CPUs.
  std::uint64_t cpu_stride() const { return cpu_stride_; }

 protected:
  std::uint64_t cpu_stride_ = 0;
};

/// A fixed pool: one block of memory, lock-free free lists, elements touched first when first used.
class ElementPool final : public ElementStore {
 public:
  static Result<std::unique_ptr<ElementPool>> make(const ElementLayout& layout, std::uint32_t count);

  Element* take(std::uint32_t hint) noexcept override;
  void give(Element* e, std::uint32_t hint) noexcept override;
  void destroy(Element*) noexcept override {}
  std::uint64_t memory_bytes() const override;

  /// The elements that have been used so far.
  std::uint32_t used() const noexcept override;
  Element* at(std::uint32_t index) const noexcept override;
  std::uint32_t index_of(const Element* e) const noexcept {
    const auto off = static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(e) - elements_.data());
    return static_cast<std::uint32_t>(off / stride_);
  }

 private:
  static constexpr std::uint32_t kLists = 16;
  // Head of a free list: index + 1 of the first element (0: empty), and a tag that changes at every
  // removal, so that a head that went away and came back is not mistaken for the old one.
  struct alignas(64) List {
    std::atomic<std::uint64_t> head{0};
  };

  ElementPool(const ElementLayout& layout, std::uint32_t count, MapMemory elements, MapMemory copies);
  Element* pop(List& list) noexcept;
  Element* take_fresh() noexcept;

  const ElementLayout layout_;
  const std::uint32_t count_;
  const std::uint32_t stride_;
  MapMemory elements_;
  MapMemory copies_;
  List lists_[kLists];
  alignas(64) std::atomic<std::uint32_t> fresh_{0};
};

/// One heap block per element, freed after readers. Each shard of the table keeps a few that went, for those that come next:
/// readers find what they look for all the same (hash_table.h), and neither allocator nor grace periods are in the way.
class ElementHeap final : public ElementStore {
 public:
  struct Options {
    std::shared_ptr<const FieldOwners> owners;  // of what values own, null for nothing; taken out once more when a block is freed
    MemoryAccount& account;
    bool recycles;  // programs bear with a value that becomes another key's while they look at it
  };
  /// The table outlives the store's use by take() and recycle().
  ElementHeap(const ElementLayout& layout, HashTable& table, Options options);
  ~ElementHeap() override;
  Element* take(std::uint32_t hint) noexcept override;
  void give(Element* e, std::uint32_t hint) noexcept override;
  bool recycles() const noexcept override { return most_kept_ != 0; }
  void recycle(Element* e, std::uint32_t hint) noexcept override;
  Element* take_kept() noexcept override;
  void destroy(Element* e) noexcept override;
  std::uint64_t memory_bytes() const override;

 private:
  /// Bytes that a shard keeps at most.
  static constexpr std::uint64_t kKeptBytes = 4096;

  /// What a block needs when it is freed, maybe after the map. Goes with the last of them.
  struct Plan {
    ElementLayout layout;
    std::uint64_t cpu_stride;
    std::uint64_t block_bytes;
    std::shared_ptr<const FieldOwners> owners;
    MemoryAccount* account;
    std::atomic<std::uint64_t> users;  // the store, and every block
  };
  struct Header;
  static Header* header_of(Element* e) noexcept;
  static void free_block(Header* header) noexcept;
  static void leave(Plan* plan) noexcept;
  /// Null: nothing is kept there.
  static Element* pop_kept(HashTable::Shard& shard) noexcept RING3_REQUIRES(shard.lock);

  const ElementLayout layout_;
  HashTable& table_;
  std::uint32_t most_kept_ = 0;  // in a shard
  Plan* plan_;
};

}  // namespace ring3::maps
