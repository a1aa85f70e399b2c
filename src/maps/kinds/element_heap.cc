#include <cstdlib>
#include <cstring>
#include <new>

#include "base/fault_point.h"
#include "maps/kinds/element_store.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

constexpr std::uint64_t kCacheLine = 64;

}  // namespace

/// Stands before each heap element.
struct ElementHeap::Header {
  rcu::Deferred deferred;
  Plan* plan;
  std::uint64_t unused;  // keeps elements at multiples of 16
};

ElementHeap::Header* ElementHeap::header_of(Element* e) noexcept {
  static_assert(sizeof(Header) % 16 == 0);
  return reinterpret_cast<Header*>(e) - 1;
}

void ElementHeap::leave(Plan* plan) noexcept {
  if (plan->users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete plan;
}

void ElementHeap::free_block(Header* header) noexcept {
  Plan* const plan = header->plan;
  if (plan->owners) {
    auto* e = reinterpret_cast<Element*>(header + 1);
    if (plan->layout.cpus == 0) plan->owners->release(plan->layout.value(e));
    for (std::uint32_t cpu = 0; cpu < plan->layout.cpus; ++cpu)
      plan->owners->release(plan->layout.cpu_copy(e, cpu, plan->cpu_stride));
  }
  std::free(header);
  plan->account->give_back(plan->block_bytes);
  leave(plan);
}

Result<std::unique_ptr<ElementHeap>> ElementHeap::make(const ElementLayout& layout, std::uint32_t limit, Options options) {
  auto cells = make_cells(limit);
  if (!cells || fault_point()) return Errno::kNoMem;
  return std::unique_ptr<ElementHeap>(new ElementHeap(layout, limit, std::move(options), std::move(cells)));
}

ElementHeap::ElementHeap(const ElementLayout& layout, std::uint32_t limit, Options options, std::unique_ptr<Cell[]> cells)
    : ElementStore(limit, std::move(cells), true), layout_(layout) {
  std::uint64_t block_bytes = sizeof(Header) + layout.element_bytes();
  if (layout.cpus != 0) {
    // Copies stand behind the element, each on cache lines of its own.
    cpu_stride_ = round_up(layout.cpu_value, kCacheLine);
    block_bytes += kCacheLine + layout.cpus * cpu_stride_;
  }
  most_kept_ = options.recycles && !options.owners ? static_cast<std::uint32_t>(kKeptBytes / block_bytes) : 0;
  account_ = &options.account;
  plan_ = new Plan{layout, cpu_stride_, block_bytes, std::move(options.owners), &options.account, {1}};
}

ElementHeap::~ElementHeap() {
  for (std::uint32_t i = 0; i < cells(); ++i) {
    Cell& kept = cell(i);
    WordLockGuard guard(kept.lock);
    while (Element* e = pop(kept)) destroy(e);
  }
  leave(plan_);
}

Element* ElementHeap::new_block() noexcept {
  if (fault_point()) return nullptr;
  const std::uint64_t bytes = plan_->block_bytes;
  if (!plan_->account->charge(bytes)) return nullptr;
  auto* block = static_cast<std::byte*>(std::malloc(bytes));
  if (!block) {
    plan_->account->give_back(bytes);
    return nullptr;
  }
  plan_->users.fetch_add(1, std::memory_order_relaxed);
  auto* header = new (block) Header{{}, plan_, 0};
  auto* e = new (header + 1) Element;
  e->next.store(nullptr, std::memory_order_relaxed);
  e->hash.store(0, std::memory_order_relaxed);
  e->seq.store(1, std::memory_order_relaxed);
  std::memset(e->bytes(), 0, layout_.element_bytes() - sizeof(Element));
  if (layout_.cpus != 0) {
    const auto end = reinterpret_cast<std::uintptr_t>(e) + layout_.element_bytes();
    auto* copies = reinterpret_cast<std::byte*>(round_up(end, kCacheLine));
    *reinterpret_cast<std::byte**>(layout_.value(e)) = copies;
    // A new element's special fields are in their initial state.
    if (plan_->owners) std::memset(copies, 0, layout_.cpus * cpu_stride_);
  }
  return e;
}

Element* ElementHeap::allocate() noexcept {
  if (Element* e = new_block()) return e;
  for (std::uint32_t i = 0; most_kept_ != 0 && i < cells(); ++i) {
    Cell& other = cell(i);
    WordLockGuard guard(other.lock);
    if (Element* e = pop(other)) return e;
  }
  return nullptr;
}

Element* ElementHeap::replacement() noexcept {
  if (most_kept_ != 0) {
    Cell& mine = own_cell();
    WordLockGuard guard(mine.lock);
    if (Element* e = pop(mine)) return e;
  }
  return allocate();
}

void ElementHeap::replaced(Element* old) noexcept {
  if (most_kept_ != 0) {
    Cell& mine = own_cell();
    WordLockGuard guard(mine.lock);
    if (keeps(mine)) return push(mine, old);
  }
  retire(old);
}

void ElementHeap::retire(Element* e) noexcept {
  rcu::call_after_readers(&header_of(e)->deferred, [](rcu::Deferred* d) { free_block(reinterpret_cast<Header*>(d)); });
}

void ElementHeap::destroy(Element* e) noexcept { free_block(header_of(e)); }

std::uint64_t ElementHeap::memory_bytes() const {
  return (plan_->users.load(std::memory_order_relaxed) - 1) * plan_->block_bytes + cell_bytes();
}

}  // namespace ring3::maps
