// Where the elements of a hash come from, and how many there may be: a pool made with the map (never allocates afterwards), or the
// heap (BPF_F_NO_PREALLOC), which charges the account of the runtime's maps for each block until it is free. Thread-safe, never blocks
// but on short locks; a chain of the table may be held.
//
// A map's limit is so many places. They and the elements that are free are spread over cells, and a thread uses its own
// (thread_number.h): two threads that insert and delete write no common line. A cell that has run out gets places nobody has had
// yet, then half of what another cell has. The limit is exact all the same: before an element is refused all cells are held at once,
// and a place is in one of them, or is an element's, or was never given out.
//
// A free element's `next` leads to the next free one. Readers may still stand on it: they see by its seq that its life is over.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "maps/field_owners.h"
#include "maps/kinds/element.h"
#include "maps/map_memory.h"
#include "maps/memory_account.h"
#include "maps/thread_number.h"
#include "maps/word_lock.h"
#include "ring3/result.h"

namespace ring3::maps {

class ElementStore {
 public:
  virtual ~ElementStore() = default;

  /// An element for a key that comes in, with odd seq, its per-CPU copies (if any) attached, contents undefined. Null: the map is
  /// full (`full`), or there is no memory.
  Element* take(bool& full) noexcept;
  /// Gives back an element that is in no table any more, and its place; readers may still look at it.
  void give(Element* e) noexcept;
  /// An element that takes the place of another. Null: no memory; else replaced() follows, on this thread, and no other call before.
  virtual Element* replacement() noexcept = 0;
  /// `old` is in no table any more.
  virtual void replaced(Element* old) noexcept = 0;
  /// Frees an element at once. Only in the map's destructor.
  virtual void destroy(Element* e) noexcept = 0;

  /// Elements that were taken and not given back: a sum over cells, exact while nobody takes or gives.
  std::uint32_t taken() const noexcept;
  /// Elements that may be in no table and still hold something: how many, and each (null: never used). A pool's only.
  virtual std::uint32_t used() const noexcept { return 0; }
  virtual Element* used_at(std::uint32_t) const noexcept { return nullptr; }
  virtual std::uint64_t memory_bytes() const = 0;
  /// Bytes between the copies of two CPUs.
  std::uint64_t cpu_stride() const { return cpu_stride_; }

 protected:
  static constexpr std::uint32_t kMostCells = 16;
  /// Places that go from one cell to another, or come first into one, at a time.
  static constexpr std::uint32_t kPiece = 16;

  struct alignas(64) Cell {
    WordLock lock;
    std::atomic<std::uint32_t> places{0};            // written with the lock held
    std::atomic<std::int32_t> taken{0};              // as places; elements may be taken here and given back elsewhere
    std::uint32_t kept RING3_GUARDED_BY(lock) = 0;   // free elements; a pool's are as many as places
    Element* first RING3_GUARDED_BY(lock) = nullptr;
    Element* last RING3_GUARDED_BY(lock) = nullptr;  // taken most lately
    Element* other RING3_GUARDED_BY(lock) = nullptr; // a pool's: what replaces the next element, then what was replaced
  };

  /// exact: refuses an element only if there was no place at all; else it may also be because places were on their way.
  ElementStore(std::uint32_t limit, std::unique_ptr<Cell[]> cells, bool exact) noexcept;
  static std::uint32_t cells_for(std::uint32_t limit) noexcept;
  /// Null: no memory.
  static std::unique_ptr<Cell[]> make_cells(std::uint32_t limit) noexcept;

  std::uint32_t cells() const noexcept { return cell_mask_ + 1; }
  Cell& cell(std::uint32_t number) const noexcept { return cells_[number]; }
  Cell& own_cell() const noexcept { return cells_[thread_number() & cell_mask_]; }
  std::uint64_t cell_bytes() const noexcept { return std::uint64_t{cells()} * sizeof(Cell); }
  static Element* pop(Cell& cell) noexcept RING3_REQUIRES(cell.lock);
  static void push(Cell& cell, Element* e) noexcept RING3_REQUIRES(cell.lock);
  static void push_back_in(Cell& cell, Element* e) noexcept RING3_REQUIRES(cell.lock);
  /// How many places were given out to cells.
  std::uint32_t first_use() const noexcept { return fresh_.load(std::memory_order_acquire); }

  /// The places of these numbers come into a cell for the first time; a pool adds their elements. The cell is held.
  virtual void add_fresh(Cell& cell, std::uint32_t first, std::uint32_t count) noexcept = 0;
  /// An element where none is kept, with no cell held. Null: no memory, or a pool.
  virtual Element* allocate() noexcept { return nullptr; }
  /// Whether what is given back is kept for the next that comes in.
  bool keeps(const Cell& cell) const noexcept RING3_REQUIRES(cell.lock) {
    return cell.kept < most_kept_ && (account_ == nullptr || !account_->tight());
  }
  /// Frees, after readers, an element that is not kept.
  virtual void retire(Element* e) noexcept = 0;

  std::uint64_t cpu_stride_ = 0;
  std::uint32_t most_kept_ = UINT32_MAX;    // in a cell
  const MemoryAccount* account_ = nullptr;  // nothing is kept when it is tight; null: a pool

 private:
  bool refill(std::uint32_t own) noexcept;
  bool add_fresh_places(Cell& cell) noexcept RING3_REQUIRES(cell.lock);
  void move_places(Cell& from, Cell& to) noexcept RING3_REQUIRES(from.lock, to.lock);
  bool move_from_any(std::uint32_t own) noexcept;

  const std::uint32_t limit_;
  const bool exact_;
  const std::uint32_t cell_mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::uint32_t> fresh_{0};
};

/// A fixed pool: one block of memory, elements touched first when first used. Each cell has one element more than its places, for the
/// new copy that an update makes.
class ElementPool final : public ElementStore {
 public:
  /// exact: as of ElementStore. Errors: kNoMem; kTooBig.
  static Result<std::unique_ptr<ElementPool>> make(const ElementLayout& layout, std::uint32_t limit, bool exact);

  Element* replacement() noexcept override;
  void replaced(Element* old) noexcept override;
  void destroy(Element*) noexcept override {}
  std::uint64_t memory_bytes() const override;

  /// The elements that have been used so far are below used().
  std::uint32_t used() const noexcept override { return spares_ + first_use(); }
  Element* used_at(std::uint32_t index) const noexcept override;
  Element* at(std::uint32_t index) const noexcept;
  std::uint32_t index_of(const Element* e) const noexcept {
    const auto off = static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(e) - elements_.data());
    return static_cast<std::uint32_t>(off / stride_);
  }

 private:
  ElementPool(const ElementLayout& layout, std::uint32_t limit, std::uint32_t spares, bool exact, std::unique_ptr<Cell[]> cells,
              MapMemory elements, MapMemory copies);
  static std::uint32_t spares_for(const ElementLayout& layout, std::uint32_t limit) noexcept;
  Element* begin_use(std::uint32_t index) noexcept;
  void add_fresh(Cell& cell, std::uint32_t first, std::uint32_t count) noexcept override;
  void retire(Element*) noexcept override {}

  const ElementLayout layout_;
  const std::uint32_t spares_;  // the elements below this index, one for each cell, or none where updates never make a copy
  const std::uint32_t stride_;
  MapMemory elements_;
  MapMemory copies_;
};

/// One heap block per element, freed after readers. Each cell keeps a few that went, for those that come next: readers find what
/// they look for all the same (hash_table.h), and neither allocator nor grace periods are in the way.
class ElementHeap final : public ElementStore {
 public:
  struct Options {
    std::shared_ptr<const FieldOwners> owners;  // of what values own, null for nothing; taken out once more when a block is freed
    MemoryAccount& account;
    bool recycles;  // programs bear with a value that becomes another key's while they look at it
  };
  /// Errors: kNoMem.
  static Result<std::unique_ptr<ElementHeap>> make(const ElementLayout& layout, std::uint32_t limit, Options options);
  ~ElementHeap() override;

  Element* replacement() noexcept override;
  void replaced(Element* old) noexcept override;
  void destroy(Element* e) noexcept override;
  std::uint64_t memory_bytes() const override;

 private:
  /// Bytes that a cell keeps at most.
  static constexpr std::uint64_t kKeptBytes = 16384;

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

  ElementHeap(const ElementLayout& layout, std::uint32_t limit, Options options, std::unique_ptr<Cell[]> cells);
  static Header* header_of(Element* e) noexcept;
  static void free_block(Header* header) noexcept;
  static void leave(Plan* plan) noexcept;
  /// A new block, or what any cell has kept when there is no memory.
  Element* allocate() noexcept override;
  Element* new_block() noexcept;
  void add_fresh(Cell&, std::uint32_t, std::uint32_t) noexcept override {}
  void retire(Element* e) noexcept override;

  const ElementLayout layout_;
  Plan* plan_;
};

}  // namespace ring3::maps
