#include "maps/kinds/element_store.h"

#include <algorithm>
#include <bit>
#include <new>

#include "base/fault_point.h"

namespace ring3::maps {

ElementStore::ElementStore(std::uint32_t limit, std::unique_ptr<Cell[]> cells, bool exact) noexcept
    : limit_(limit), exact_(exact), cell_mask_(cells_for(limit) - 1), cells_(std::move(cells)) {}

std::uint32_t ElementStore::cells_for(std::uint32_t limit) noexcept {
  return limit < kMostCells ? std::bit_ceil(limit) : kMostCells;
}

std::unique_ptr<ElementStore::Cell[]> ElementStore::make_cells(std::uint32_t limit) noexcept {
  if (fault_point()) return nullptr;
  return std::unique_ptr<Cell[]>(new (std::nothrow) Cell[cells_for(limit)]);
}

Element* ElementStore::pop(Cell& cell) noexcept {
  Element* e = cell.first;
  if (e == nullptr) return nullptr;
  cell.first = e->next.load(std::memory_order_relaxed);
  --cell.kept;
  return e;
}

void ElementStore::push(Cell& cell, Element* e) noexcept {
  // Who still stands on it sees that its life is over, and starts again.
  e->next.store(cell.first, std::memory_order_release);
  cell.first = e;
  ++cell.kept;
}

/// Another thread's element comes behind the first: its neighbours in memory are likely in that thread's cell, and what is taken most
/// often should not share a cache line with them.
void ElementStore::push_back_in(Cell& cell, Element* e) noexcept {
  if (e == cell.last || cell.first == nullptr) return push(cell, e);
  e->next.store(cell.first->next.load(std::memory_order_relaxed), std::memory_order_release);
  cell.first->next.store(e, std::memory_order_release);
  ++cell.kept;
}

namespace {

// Only the holder of a cell writes its numbers; others read them to see whether it is worth while to take the cell.
template <typename T>
void add(std::atomic<T>& number, T change) noexcept {
  number.store(number.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

}  // namespace

// The analysis cannot follow a cell that refill() may hold or have given back.
Element* ElementStore::take(bool& full) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  const std::uint32_t own = thread_number() & cell_mask_;
  Cell& mine = cells_[own];
  mine.lock.lock();
  if (mine.places.load(std::memory_order_relaxed) == 0 && !refill(own)) {
    full = true;
    return nullptr;
  }
  mine.places.store(mine.places.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  add(mine.taken, 1);
  Element* e = pop(mine);
  mine.last = e;
  mine.lock.unlock();
  if (e != nullptr) return e;
  e = allocate();
  if (e != nullptr) return e;
  WordLockGuard guard(mine.lock);
  add(mine.places, 1u);
  add(mine.taken, -1);
  return nullptr;
}

void ElementStore::give(Element* e) noexcept {
  Cell& mine = own_cell();
  {
    WordLockGuard guard(mine.lock);
    add(mine.places, 1u);
    add(mine.taken, -1);
    if (keeps(mine)) {
      push_back_in(mine, e);
      return;
    }
  }
  retire(e);
}

std::uint32_t ElementStore::taken() const noexcept {
  std::int64_t sum = 0;
  for (std::uint32_t i = 0; i < cells(); ++i) sum += cells_[i].taken.load(std::memory_order_relaxed);
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(sum, 0, limit_));
}

bool ElementStore::add_fresh_places(Cell& cell) noexcept {
  std::uint32_t first = fresh_.load(std::memory_order_relaxed);
  std::uint32_t count = 0;
  do {
    count = std::min(kPiece, limit_ - first);
    if (count == 0) return false;
  } while (!fresh_.compare_exchange_weak(first, first + count, std::memory_order_acq_rel));
  add_fresh(cell, first, count);
  add(cell.places, count);
  return true;
}

void ElementStore::move_places(Cell& from, Cell& to) noexcept {
  const std::uint32_t there = from.places.load(std::memory_order_relaxed);
  const std::uint32_t count = std::min(kPiece, (there + 1) / 2);
  for (std::uint32_t i = 0; i < count && to.kept < most_kept_; ++i)
    if (Element* e = pop(from)) push(to, e);
  from.places.store(there - count, std::memory_order_relaxed);
  add(to.places, count);
}

/// Brings places into a cell, which is held and has none. False: there are none, and the cell is not held any more.
bool ElementStore::refill(std::uint32_t own) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  Cell& mine = cells_[own];
  if (add_fresh_places(mine)) return true;
  for (std::uint32_t i = 1; i < cells(); ++i) {
    const std::uint32_t number = (own + i) & cell_mask_;
    Cell& other = cells_[number];
    if (other.places.load(std::memory_order_relaxed) == 0) continue;
    // Both are held while places move, in the order of their numbers: whoever holds all cells sees every place.
    if (number < own) mine.lock.unlock();
    other.lock.lock();
    if (number < own) mine.lock.lock();
    if (mine.places.load(std::memory_order_relaxed) == 0) move_places(other, mine);
    other.lock.unlock();
    if (mine.places.load(std::memory_order_relaxed) != 0) return true;
  }
  if (exact_ && cells() > 1) return move_from_any(own);
  mine.lock.unlock();
  return false;
}

/// The same, sure of it.
bool ElementStore::move_from_any(std::uint32_t own) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  Cell& mine = cells_[own];
  mine.lock.unlock();
  for (std::uint32_t i = 0; i < cells(); ++i) cells_[i].lock.lock();
  for (std::uint32_t i = 0; i < cells() && mine.places.load(std::memory_order_relaxed) == 0; ++i)
    if (cells_[i].places.load(std::memory_order_relaxed) != 0) move_places(cells_[i], mine);
  const bool found = mine.places.load(std::memory_order_relaxed) != 0;
  for (std::uint32_t i = 0; i < cells(); ++i)
    if (!found || i != own) cells_[i].lock.unlock();
  return found;
}

}  // namespace ring3::maps
