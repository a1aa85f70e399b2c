#include "maps/kinds/trie_nodes.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <new>
#include <utility>

#include "base/fault_point.h"

namespace ring3::maps {

void TrieNodes::push_all(List& list, List& others) const noexcept {
  if (others.first == nullptr) return;
  if (list.first == nullptr) list.last = others.last;
  next(others.last) = list.first;
  list.first = others.first;
  list.count += others.count;
  others = {};
}

Result<TrieNodes::Ptr> TrieNodes::make(std::uint32_t node_bytes, std::uint32_t limit, MemoryAccount& account) {
  const std::uint32_t cells = limit < kMostCells ? std::bit_ceil(limit) : kMostCells;
  if (fault_point()) return Errno::kNoMem;
  std::unique_ptr<Cell[]> storage(new Cell[cells]);
  return Ptr(new TrieNodes(node_bytes, cells, account, std::move(storage)));
}

TrieNodes::TrieNodes(std::uint32_t node_bytes, std::uint32_t cells, MemoryAccount& account, std::unique_ptr<Cell[]> storage) noexcept
    : node_bytes_(node_bytes),
      most_kept_(static_cast<std::uint32_t>(std::max<std::uint64_t>(kKeptBytes / node_bytes, 1))),
      cell_mask_(cells - 1),
      account_(account),
      cells_(std::move(storage)) {
  for (std::uint32_t i = 0; i < cells; ++i) cells_[i].nodes = this;
}

std::uint64_t TrieNodes::memory_bytes() const noexcept {
  return sizeof *this + std::uint64_t{cell_mask_ + 1} * sizeof(Cell) + blocks_.load(std::memory_order_relaxed) * node_bytes_;
}

void TrieNodes::end() noexcept {
  ended_.store(true, std::memory_order_relaxed);
  for (std::uint32_t i = 0; i <= cell_mask_; ++i) {
    // A batch that waits is freed when it comes back.
    Cell& cell = cells_[i];
    WordLockGuard guard(cell.lock);
    free_all(cell.free);
    free_all(cell.gone);
  }
  leave();
}

void TrieNodes::leave() noexcept {
  if (users_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

TrieNode* TrieNodes::allocate() noexcept {
  if (fault_point() || !account_.charge(node_bytes_)) return nullptr;
  void* block = std::malloc(node_bytes_);
  if (block == nullptr) {
    account_.give_back(node_bytes_);
    return nullptr;
  }
  blocks_.fetch_add(1, std::memory_order_relaxed);
  return new (block) TrieNode;
}

void TrieNodes::free_at_once(TrieNode* n) noexcept {
  std::free(n);
  blocks_.fetch_sub(1, std::memory_order_relaxed);
  account_.give_back(node_bytes_);
}

void TrieNodes::free_all(List& list) noexcept {
  while (TrieNode* n = pop(list)) free_at_once(n);
}

/// All the free nodes of a cell that has too many. No two cells are held at once, else two threads might wait for each other's.
void TrieNodes::Use::take_over() noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  const auto own = static_cast<std::uint32_t>(&cell_ - nodes_.cells_.get());
  const std::uint32_t rich = nodes_.rich_.load(std::memory_order_relaxed) & ~(1u << own);
  if (rich == 0) return;
  const auto number = static_cast<std::uint32_t>(std::countr_zero(rich));
  List found;
  cell_.lock.unlock();
  {
    Cell& other = nodes_.cells_[number];
    WordLockGuard guard(other.lock);
    nodes_.rich_.fetch_and(~(1u << number), std::memory_order_relaxed);
    if (other.free.count > nodes_.most_kept_) {
      std::swap(found, other.free);
      other.least_free = 0;
    }
  }
  cell_.lock.lock();
  nodes_.push_all(cell_.free, found);
  nodes_.note_riches(cell_);
}

TrieNode* TrieNodes::Use::take_anywhere() noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  take_over();
  if (TrieNode* n = nodes_.pop(cell_.free)) return n;
  if (TrieNode* n = nodes_.allocate()) return n;
  // There is no memory: what any cell has kept, and nodes that were too few for a batch come back for those who ask again.
  cell_.lock.unlock();
  TrieNode* n = nullptr;
  for (std::uint32_t i = 0; n == nullptr && i <= nodes_.cell_mask_; ++i) {
    Cell& other = nodes_.cells_[i];
    WordLockGuard guard(other.lock);
    n = nodes_.pop(other.free);
    other.least_free = std::min(other.least_free, other.free.count);
    if (other.gone.first != nullptr && !other.is_waiting) nodes_.begin_batch(other);
  }
  cell_.lock.lock();
  return n;
}

void TrieNodes::defer(Call& call, Cell& cell, void (*then)(rcu::Deferred*)) noexcept {
  users_.fetch_add(1, std::memory_order_relaxed);
  call.cell = &cell;
  rcu::call_after_readers(&call.deferred, then);
}

void TrieNodes::begin_batch(Cell& cell) noexcept {
  push_all(cell.waiting, cell.gone);
  cell.is_waiting = true;
  defer(cell.batch, cell, [](rcu::Deferred* d) {
    Cell* const mine = reinterpret_cast<Call*>(d)->cell;
    mine->nodes->returned(*mine);
  });
}

/// Free nodes that are too many to keep for ever are there for other cells, and age.
void TrieNodes::note_riches(Cell& cell) noexcept {
  if (cell.free.count <= most_kept_) return;
  rich_.fetch_or(1u << (&cell - cells_.get()), std::memory_order_relaxed);
  if (!cell.is_aging) begin_aging(cell);
}

void TrieNodes::begin_aging(Cell& cell) noexcept {
  cell.least_free = cell.free.count;
  cell.is_aging = true;
  defer(cell.aging, cell, [](rcu::Deferred* d) {
    Cell* const mine = reinterpret_cast<Call*>(d)->cell;
    mine->nodes->aged(*mine);
  });
}

void TrieNodes::returned(Cell& cell) noexcept {
  List surplus;
  {
    WordLockGuard guard(cell.lock);
    cell.is_waiting = false;
    const bool ended = ended_.load(std::memory_order_relaxed);
    const bool tight = !ended && account_.tight();
    push_all(ended || tight ? surplus : cell.free, cell.waiting);
    // Who works here may have stopped meanwhile, so the next batch begins here.
    if (!ended && cell.gone.count >= (tight ? 1 : most_kept_)) begin_batch(cell);
    if (!ended) note_riches(cell);
  }
  free_all(surplus);
  leave();
}

void TrieNodes::aged(Cell& cell) noexcept {
  List surplus;
  {
    WordLockGuard guard(cell.lock);
    cell.is_aging = false;
    if (!ended_.load(std::memory_order_relaxed)) {
      const std::uint32_t unused = cell.least_free > most_kept_ ? cell.least_free - most_kept_ : 0;
      for (std::uint32_t i = 0; i < (unused + kFreedPart - 1) / kFreedPart; ++i) push(surplus, pop(cell.free));
      note_riches(cell);
    }
  }
  free_all(surplus);
  leave();
}

}  // namespace ring3::maps
