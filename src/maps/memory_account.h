// What all maps of one runtime hold, against a limit.
//
// Exact, and yet no counter that every thread writes: a charge is paid out of one of a few cells, whose credit comes from the
// common sum in pieces. So taken_ is what is held plus the credit of all cells. Before a charge is refused the credit of
// all cells is called back: what is refused does not fit, unless other threads charge at that very moment.
//
// Charges stand for memory that is there: they are given back where it is freed, which is after readers for what programs may
// still look at.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace ring3::maps {

class MemoryAccount {
 public:
  /// limit_bytes 0: none; what is held is counted all the same.
  explicit MemoryAccount(std::uint64_t limit_bytes = 0) noexcept : limit_(limit_bytes) {}
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  /// Any thread, never blocks. False: it would be more than the limit, and nothing is charged.
  bool charge(std::uint64_t bytes) noexcept;
  /// The account may end as soon as everything has been given back.
  void give_back(std::uint64_t bytes) noexcept;

  std::uint64_t limit() const noexcept { return limit_; }
  /// Exact while nobody charges or gives back.
  std::uint64_t held() const noexcept;
  /// Charges that did not fit so far.
  std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }
  /// Nearly full: nothing should be kept for later.
  bool tight() const noexcept { return limit_ != 0 && taken_.load(std::memory_order_relaxed) > limit_ - limit_ / 8; }

 private:
  static constexpr std::size_t kCells = 16;
  static constexpr std::uint64_t kPiece = 64u << 10;
  struct alignas(64) Cell {
    std::atomic<std::uint64_t> credit{0};
  };

  Cell& own_cell() noexcept;
  /// Raises the common sum, if it stays within the limit.
  bool take(std::uint64_t bytes) noexcept;
  void call_back_credit() noexcept;

  const std::uint64_t limit_;
  std::array<Cell, kCells> cells_;
  alignas(64) std::atomic<std::uint64_t> taken_{0};
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace ring3::maps
