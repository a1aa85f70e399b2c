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

ElementHeap::ElementHeap(const ElementLayout& layout, HashTable& table, Options options) : layout_(layout), table_(table) {
  std::uint64_t block_bytes = sizeof(Header) + layout.element_bytes();
  if (layout.cpus != 0) {
    // Copies stand behind the element, each on cache lines of its own.
    cpu_stride_ = round_up(layout.cpu_value, kCacheLine);
    block_bytes += kCacheLine + layout.cpus * cpu_stride_;
  }
  if (options.recycles && !options.owners) most_kept_ = static_cast<std::uint32_t>(kKeptBytes / block_bytes);
  plan_ = new Plan{layout, cpu_stride_, block_bytes, std::move(options.owners), &options.account, {1}};
}

ElementHeap::~ElementHeap() {
  for (std::uint32_t i = 0; most_kept_ != 0 && i < table_.shards(); ++i) {
    HashTable::Shard& shard = table_.shard(i);
    WordLockGuard guard(shard.lock);
    while (Element* e = pop_kept(shard)) destroy(e);
  }
  leave(plan_);
}

Element* ElementHeap::pop_kept(HashTable::Shard& shard) noexcept {
  Element* e = shard.first_kept;
  if (e == nullptr) return nullptr;
  shard.first_kept = e->next.load(std::memory_order_relaxed);
  --shard.kept;
  return e;
}

// The caller holds the shard, which the analysis cannot know: it is computed.
Element* ElementHeap::take(std::uint32_t hint) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  if (Element* e = pop_kept(table_.shard(hint))) return e;
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

// As take().
void ElementHeap::recycle(Element* e, std::uint32_t hint) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS {
  HashTable::Shard& shard = table_.shard(hint);
  if (shard.kept >= most_kept_ || plan_->account->tight()) return give(e, hint);
  // Who still stands on it sees that its life is over, and starts again.
  e->next.store(shard.first_kept, std::memory_order_release);
  shard.first_kept = e;
  ++shard.kept;
}

Element* ElementHeap::take_kept() noexcept {
  for (std::uint32_t i = 0; most_kept_ != 0 && i < table_.shards(); ++i) {
    HashTable::Shard& shard = table_.shard(i);
    WordLockGuard guard(shard.lock);
    if (Element* e = pop_kept(shard)) return e;
  }
  return nullptr;
}

void ElementHeap::give(Element* e, std::uint32_t) noexcept {
  rcu::call_after_readers(&header_of(e)->deferred, [](rcu::Deferred* d) { free_block(reinterpret_cast<Header*>(d)); });
}

void ElementHeap::destroy(Element* e) noexcept { free_block(header_of(e)); }

std::uint64_t ElementHeap::memory_bytes() const {
  return (plan_->users.load(std::memory_order_relaxed) - 1) * plan_->block_bytes;
}

}  // namespace ring3::maps
