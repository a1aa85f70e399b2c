// Where the nodes of an LPM trie come from, and where they go: one heap block each, charged to an account until it is free.
//
// Readers may stand on a node that left the trie, so it is used again only after them. A grace period for each would cost more than
// all the rest of an update: nodes that left wait in the cell of the thread that took them out, and all that wait there go through one
// grace period together, at most one such batch of a cell at a time. Afterwards they are the cell's free nodes. Of those that a cell
// did not need for a whole grace period a part goes back to the heap, and so again until a few are left. A cell that has run out
// takes over what another one has too many: one thread may insert what another deletes.
//
// A thread uses its own cell (thread_number.h), for the whole of an operation: two writers share no line here, and what an update
// needs is at hand before it takes the trie's lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "maps/kinds/trie_node.h"
#include "maps/memory_account.h"
#include "maps/spin.h"
#include "maps/thread_number.h"
#include "maps/word_lock.h"
#include "object/rcu.h"
#include "ring3/result.h"

namespace ring3::maps {

class TrieNodes {
 public:
  struct End {
    void operator()(TrieNodes* nodes) const noexcept { nodes->end(); }
  };
  using Ptr = std::unique_ptr<TrieNodes, End>;  // ends with no reader any more, and all nodes given to free_at_once()

  /// The last bytes of a node, which are for the lists here.
  static constexpr std::uint32_t kLinkBytes = sizeof(TrieNode*);

  /// node_bytes: header, words, value and link; limit: entries the trie may have. Errors: kNoMem.
  static Result<Ptr> make(std::uint32_t node_bytes, std::uint32_t limit, MemoryAccount& account);

  /// What nodes and cells occupy; nodes that wait or are kept included.
  std::uint64_t memory_bytes() const noexcept;
  /// Only without readers.
  void free_at_once(TrieNode* n) noexcept;

 private:
  /// Free nodes that a cell may keep for ever, and nodes that begin a batch, are so many bytes.
  static constexpr std::uint64_t kKeptBytes = 16384;
  static constexpr std::uint32_t kMostCells = 16;
  /// What was not needed for a grace period is freed by quarters: who pauses for a moment needs not begin anew.
  static constexpr std::uint32_t kFreedPart = 4;
  static constexpr std::uint32_t kCrowdedOperations = 32;

  struct List {
    TrieNode* first = nullptr;
    TrieNode* last = nullptr;
    std::uint32_t count = 0;
  };

  struct Cell;
  struct Call {
    rcu::Deferred deferred;
    Cell* cell;
  };
  struct alignas(64) Cell {
    WordLock lock;
    std::uint32_t least_free RING3_GUARDED_BY(lock) = 0;  // since `aging` was deferred
    List free RING3_GUARDED_BY(lock);
    List gone RING3_GUARDED_BY(lock);      // readers may stand on them
    List waiting RING3_GUARDED_BY(lock);   // the batch that waits for readers
    std::uint32_t crowded RING3_GUARDED_BY(lock) = 0;     // operations to come that look under the lock
    bool is_waiting RING3_GUARDED_BY(lock) = false;
    bool is_aging RING3_GUARDED_BY(lock) = false;
    Call batch{}, aging{};
    TrieNodes* nodes = nullptr;
  };

 public:
  /// The calling thread's cell during one operation of a writer, which is inside a read section. It holds the cell's lock, which the
  /// analysis does not follow into its members.
  class RING3_SCOPED_CAPABILITY Use {
   public:
    explicit Use(TrieNodes& nodes) noexcept RING3_ACQUIRE(cell_.lock)
        : nodes_(nodes), cell_(nodes.cells_[thread_number() & nodes.cell_mask_]) {
      cell_.lock.lock();
    }
    ~Use() RING3_RELEASE() { cell_.lock.unlock(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    /// A node with undefined contents. Null: no memory.
    TrieNode* take() noexcept;
    /// A node that was in no trie since it was taken. Null does nothing.
    void give_unused(TrieNode* n) noexcept;
    /// A node that left the trie; it is free after readers.
    void retire(TrieNode* n) noexcept;

    /// Whether this thread should take the writers' lock before it looks for its place: others were in the way lately, and what one
    /// sees before would be looked at twice.
    bool crowded() noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
      if (cell_.crowded == 0) return false;
      --cell_.crowded;
      return true;
    }
    /// Another writer was in the way.
    void was_in_the_way() noexcept RING3_NO_THREAD_SAFETY_ANALYSIS { cell_.crowded = kCrowdedOperations; }

   private:
    TrieNode* take_anywhere() noexcept;
    void take_over() noexcept;
    TrieNodes& nodes_;
    Cell& cell_;
  };

 private:
  TrieNodes(std::uint32_t node_bytes, std::uint32_t cells, MemoryAccount& account, std::unique_ptr<Cell[]> storage) noexcept;
  ~TrieNodes() = default;
  void end() noexcept;
  void leave() noexcept;
  TrieNode*& next(TrieNode* n) const noexcept {
    return *reinterpret_cast<TrieNode**>(reinterpret_cast<std::byte*>(n) + node_bytes_ - kLinkBytes);
  }
  void push(List& list, TrieNode* n) const noexcept;
  TrieNode* pop(List& list) const noexcept;
  void push_all(List& list, List& others) const noexcept;
  TrieNode* allocate() noexcept;
  void free_all(List& list) noexcept;
  void defer(Call& call, Cell& cell, void (*then)(rcu::Deferred*)) noexcept;
  void begin_batch(Cell& cell) noexcept RING3_REQUIRES(cell.lock);
  void note_riches(Cell& cell) noexcept RING3_REQUIRES(cell.lock);
  void begin_aging(Cell& cell) noexcept RING3_REQUIRES(cell.lock);
  /// The batch's readers have gone.
  void returned(Cell& cell) noexcept;
  /// Another grace period is over.
  void aged(Cell& cell) noexcept;

  const std::uint32_t node_bytes_;
  const std::uint32_t most_kept_;  // at least 1
  const std::uint32_t cell_mask_;
  MemoryAccount& account_;         // alive as long as it is charged for a node; not touched else after end()
  const std::unique_ptr<Cell[]> cells_;
  std::atomic<std::uint32_t> rich_{0};   // bit by cell: it had more free nodes than it keeps for ever; may be out of date
  std::atomic<std::uint64_t> blocks_{0};
  std::atomic<std::uint32_t> users_{1};  // the trie, and each deferred call
  std::atomic<bool> ended_{false};
};

inline void TrieNodes::push(List& list, TrieNode* n) const noexcept {
  if (list.first == nullptr) list.last = n;
  next(n) = list.first;
  list.first = n;
  ++list.count;
}

inline TrieNode* TrieNodes::pop(List& list) const noexcept {
  TrieNode* const n = list.first;
  if (n == nullptr) return nullptr;
  list.first = next(n);
  --list.count;
  return n;
}

inline TrieNode* TrieNodes::Use::take() noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  TrieNode* const n = nodes_.pop(cell_.free);
  if (n == nullptr) [[unlikely]]
    return take_anywhere();
  // Nodes went through a grace period, and so out of the nearest caches: let the next one come while this one is used. Else the
  // writers' lock waits until what was written to it has reached memory.
  if (TrieNode* const following = cell_.free.first) {
    fetch_to_write(following);
    fetch_to_write(&nodes_.next(following));
  }
  if (cell_.free.count < cell_.least_free) cell_.least_free = cell_.free.count;
  return n;
}

inline void TrieNodes::Use::give_unused(TrieNode* n) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  if (n != nullptr) nodes_.push(cell_.free, n);
}

inline void TrieNodes::Use::retire(TrieNode* n) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  nodes_.push(cell_.gone, n);
  if (!cell_.is_waiting && (cell_.gone.count >= nodes_.most_kept_ || nodes_.account_.tight())) nodes_.begin_batch(cell_);
}

}  // namespace ring3::maps
