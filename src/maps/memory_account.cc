#include "maps/memory_account.h"

#include "maps/thread_number.h"

namespace ring3::maps {

MemoryAccount::Cell& MemoryAccount::own_cell() noexcept {
  return cells_[thread_number() % kCells];
}

bool MemoryAccount::take(std::uint64_t bytes) noexcept {
  std::uint64_t seen = taken_.load(std::memory_order_relaxed);
  do {
    if (bytes > UINT64_MAX - seen || (limit_ != 0 && (bytes > limit_ || seen > limit_ - bytes))) return false;
  } while (!taken_.compare_exchange_weak(seen, seen + bytes, std::memory_order_relaxed));
  return true;
}

void MemoryAccount::call_back_credit() noexcept {
  for (Cell& cell : cells_)
    if (const std::uint64_t credit = cell.credit.exchange(0, std::memory_order_relaxed))
      taken_.fetch_sub(credit, std::memory_order_relaxed);
}

bool MemoryAccount::charge(std::uint64_t bytes) noexcept {
  if (bytes < kPiece) {
    Cell& cell = own_cell();
    std::uint64_t credit = cell.credit.load(std::memory_order_relaxed);
    while (credit >= bytes)
      if (cell.credit.compare_exchange_weak(credit, credit - bytes, std::memory_order_relaxed)) return true;
    if (take(bytes + kPiece)) {
      cell.credit.fetch_add(kPiece, std::memory_order_relaxed);
      return true;
    }
  }
  if (take(bytes)) return true;
  call_back_credit();
  if (take(bytes)) return true;
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

// One step, the last touch of the account: who sees that nothing is held may end it.
void MemoryAccount::give_back(std::uint64_t bytes) noexcept {
  Cell& cell = own_cell();
  if (bytes < kPiece && cell.credit.load(std::memory_order_relaxed) < 2 * kPiece)
    cell.credit.fetch_add(bytes, std::memory_order_release);
  else
    taken_.fetch_sub(bytes, std::memory_order_release);
}

std::uint64_t MemoryAccount::held() const noexcept {
  // The sum first: credit that is called back meanwhile makes what is held look larger, never less than nothing.
  const std::uint64_t taken = taken_.load(std::memory_order_acquire);
  std::uint64_t credit = 0;
  for (const Cell& cell : cells_) credit += cell.credit.load(std::memory_order_acquire);
  return taken > credit ? taken - credit : 0;
}

}  // namespace ring3::maps
