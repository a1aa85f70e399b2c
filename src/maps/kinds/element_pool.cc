#include "base/check.h"
#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/element_store.h"

namespace ring3::maps {
namespace {

constexpr std::uint64_t kCacheLine = 64;

std::uint64_t copies_stride(const ElementLayout& layout, std::uint32_t count) {
  return round_up(std::uint64_t{count} * layout.cpu_value, kCacheLine);
}

}  // namespace

ElementPool::ElementPool(const ElementLayout& layout, std::uint32_t limit, std::uint32_t spares, bool exact,
                         std::unique_ptr<Cell[]> cells, MapMemory elements, MapMemory copies)
    : ElementStore(limit, std::move(cells), exact),
      layout_(layout),
      spares_(spares),
      stride_(layout.element_bytes()),
      elements_(std::move(elements)),
      copies_(std::move(copies)) {
  cpu_stride_ = copies_stride(layout, spares + limit);
}

// Per-CPU values are always changed in place.
std::uint32_t ElementPool::spares_for(const ElementLayout& layout, std::uint32_t limit) noexcept {
  return layout.cpus != 0 ? 0 : cells_for(limit);
}

Result<std::unique_ptr<ElementPool>> ElementPool::make(const ElementLayout& layout, std::uint32_t limit, bool exact) {
  const std::uint32_t spares = spares_for(layout, limit);
  if (limit >= 0xffffffff - spares) return Errno::kTooBig;
  const std::uint32_t count = spares + limit;
  MapMemory elements = RING3_TRY(MapMemory::zeroed(std::uint64_t{count} * layout.element_bytes()));
  MapMemory copies;
  if (layout.cpus != 0) copies = RING3_TRY(MapMemory::zeroed(copies_stride(layout, count) * layout.cpus));
  auto cells = make_cells(limit);
  if (!cells || fault_point()) return Errno::kNoMem;
  return std::unique_ptr<ElementPool>(
      new ElementPool(layout, limit, spares, exact, std::move(cells), std::move(elements), std::move(copies)));
}

Element* ElementPool::at(std::uint32_t index) const noexcept {
  return reinterpret_cast<Element*>(elements_.data() + std::size_t{index} * stride_);
}

Element* ElementPool::used_at(std::uint32_t index) const noexcept {
  Element* e = at(index);
  return e->seq.load(std::memory_order_acquire) != 0 ? e : nullptr;
}

Element* ElementPool::begin_use(std::uint32_t index) noexcept {
  Element* e = at(index);
  // Until here it was zero, which the clock hand takes for "never used".
  if (layout_.cpus != 0)
    *reinterpret_cast<std::byte**>(layout_.value(e)) = copies_.data() + std::size_t{index} * layout_.cpu_value;
  e->seq.store(1, std::memory_order_release);
  return e;
}

// The caller holds the cell, as add_fresh() says.
void ElementPool::add_fresh(Cell& cell, std::uint32_t first, std::uint32_t count) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  for (std::uint32_t i = count; i-- > 0;) push(cell, begin_use(spares_ + first + i));
}

// Held until replaced(): the spare element of a cell is away only while the cell is held, so there is always one.
Element* ElementPool::replacement() noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  RING3_CHECK(spares_ != 0, "an element of per-CPU values is replaced");
  Cell& mine = own_cell();
  mine.lock.lock();
  if (mine.other == nullptr) mine.other = begin_use(static_cast<std::uint32_t>(&mine - &cell(0)));
  return mine.other;
}

void ElementPool::replaced(Element* old) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  Cell& mine = own_cell();
  mine.other = old;
  mine.lock.unlock();
}

std::uint64_t ElementPool::memory_bytes() const { return elements_.bytes() + copies_.bytes() + cell_bytes(); }

}  // namespace ring3::maps
