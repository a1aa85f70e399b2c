#include "maps/kinds/element_store.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/fault_point.h"
#include "base/try.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

constexpr std::uint64_t kCacheLine = 64;

}  // namespace

// Pool.

ElementPool::ElementPool(const ElementLayout& layout, std::uint32_t count, MapMemory elements, MapMemory copies)
    : layout_(layout),
      count_(count),
      stride_(layout.element_bytes()),
      elements_(std::move(elements)),
      copies_(std::move(copies)) {
  cpu_stride_ = round_up(std::uint64_t{count} * layout.cpu_value, kCacheLine);
}

Result<std::unique_ptr<ElementPool>> ElementPool::make(const ElementLayout& layout, std::uint32_t count) {
  MapMemory elements = RING3_TRY(MapMemory::anonymous(std::uint64_t{count} * layout.element_bytes()));
  MapMemory copies;
  if (layout.cpus != 0)
    copies = RING3_TRY(MapMemory::anonymous(round_up(std::uint64_t{count} * layout.cpu_value, kCacheLine) *
                                            layout.cpus));
  if (fault_point()) return Errno::kNoMem;
  return std::unique_ptr<ElementPool>(new ElementPool(layout, count, std::move(elements), std::move(copies)));
}

Element* ElementPool::at(std::uint32_t index) const noexcept {
  return reinterpret_cast<Element*>(elements_.data() + std::size_t{index} * stride_);
}

std::uint32_t ElementPool::used() const noexcept {
  const std::uint32_t n = fresh_.load(std::memory_order_acquire);
  return n < count_ ? n : count_;
}

Element* ElementPool::take_fresh() noexcept {
  std::uint32_t index = fresh_.load(std::memory_order_relaxed);
  do {
    if (index >= count_) return nullptr;
  } while (!fresh_.compare_exchange_weak(index, index + 1, std::memory_order_acq_rel));
  Element* e = at(index);
  // Until here it was zero, which the clock hand takes for "never used".
  e->seq.store(1, std::memory_order_release);
  if (layout_.cpus != 0) {
    std::byte* copies = copies_.data() + std::size_t{index} * layout_.cpu_value;
    *reinterpret_cast<std::byte**>(layout_.value(e)) = copies;
  }
  return e;
}

Element* ElementPool::pop(List& list) noexcept {
  std::uint64_t head = list.head.load(std::memory_order_acquire);
  while (const auto first = static_cast<std::uint32_t>(head)) {
    Element* e = at(first - 1);
    // May be stale if another thread takes e first; then the tag differs and the exchange fails.
    const std::uint64_t next = e->hash.load(std::memory_order_relaxed);
    const std::uint64_t tag = ((head >> 32) + 1) << 32;
    if (list.head.compare_exchange_weak(head, tag | next, std::memory_order_acq_rel, std::memory_order_acquire))
      return e;
  }
  return nullptr;
}

Element* ElementPool::take(std::uint32_t hint) noexcept {
  const std::uint32_t own = hint % kLists;
  if (Element* e = pop(lists_[own])) return e;
  if (Element* e = take_fresh()) return e;
  // The callers' accounting says that one is free, but it may hop from a list not yet searched to one
  // already searched; a few rounds make that as unlikely as it needs to be.
  for (std::uint32_t i = 1; i < 4 * kLists; ++i)
    if (Element* e = pop(lists_[(own + i) % kLists])) return e;
  return nullptr;
}

void ElementPool::give(Element* e, std::uint32_t hint) noexcept {
  List& list = lists_[hint % kLists];
  const std::uint32_t link = index_of(e) + 1;
  std::uint64_t head = list.head.load(std::memory_order_relaxed);
  std::uint64_t next;
  do {
    e->hash.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
    next = (head & 0xffffffff00000000) | link;
  } while (!list.head.compare_exchange_weak(head, next, std::memory_order_release, std::memory_order_relaxed));
}

std::uint64_t ElementPool::memory_bytes() const { return elements_.bytes() + copies_.bytes(); }

// Heap.

/// Stands before each heap element.
struct ElementHeap::Header {
  rcu::Deferred deferred;
  std::shared_ptr<const Plan> plan;
};

ElementHeap::Header* ElementHeap::header_of(Element* e) noexcept {
  static_assert(sizeof(Header) % alignof(Element) == 0);
  return reinterpret_cast<Header*>(e) - 1;
}

void ElementHeap::free_block(Header* header) noexcept {
  if (const Plan* plan = header->plan.get()) {
    auto* e = reinterpret_cast<Element*>(header + 1);
    if (plan->layout.cpus == 0) plan->owners->release(plan->layout.value(e));
    for (std::uint32_t cpu = 0; cpu < plan->layout.cpus; ++cpu)
      plan->owners->release(plan->layout.cpu_copy(e, cpu, plan->cpu_stride));
  }
  header->~Header();
  std::free(header);
}

ElementHeap::ElementHeap(const ElementLayout& layout, std::shared_ptr<const FieldOwners> owners) : layout_(layout) {
  block_bytes_ = sizeof(Header) + layout.element_bytes();
  if (layout.cpus != 0) {
    // Copies stand behind the element, each on cache lines of its own.
    cpu_stride_ = round_up(layout.cpu_value, kCacheLine);
    block_bytes_ += kCacheLine + layout.cpus * cpu_stride_;
  }
  if (owners) plan_ = std::make_shared<Plan>(Plan{layout, cpu_stride_, std::move(owners)});
}

Element* ElementHeap::take(std::uint32_t) noexcept {
  if (fault_point()) return nullptr;
  auto* block = static_cast<std::byte*>(std::malloc(block_bytes_));
  if (!block) return nullptr;
  blocks_.fetch_add(1, std::memory_order_relaxed);
  auto* header = new (block) Header{{}, plan_};
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
    if (plan_) std::memset(copies, 0, layout_.cpus * cpu_stride_);
  }
  return e;
}

void ElementHeap::give(Element* e, std::uint32_t) noexcept {
  blocks_.fetch_sub(1, std::memory_order_relaxed);
  rcu::call_after_readers(&header_of(e)->deferred, [](rcu::Deferred* d) { free_block(reinterpret_cast<Header*>(d)); });
}

void ElementHeap::destroy(Element* e) noexcept {
  blocks_.fetch_sub(1, std::memory_order_relaxed);
  free_block(header_of(e));
}

std::uint64_t ElementHeap::memory_bytes() const {
  const std::int64_t n = blocks_.load(std::memory_order_relaxed);
  return n > 0 ? static_cast<std::uint64_t>(n) * block_bytes_ : 0;
}

}  // namespace ring3::maps
