// Queue and stack: values without keys, one ring of slots under one lock. Both drop the oldest value when a
// full map is pushed with BPF_EXIST. What clients call lookup, update and lookup-and-delete is peek, push and pop.
#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/map_check.h"
#include "maps/map_memory.h"
#include "maps/word_lock.h"

namespace ring3::maps {
namespace {

// Linux: what one kernel allocation can hold.
constexpr std::uint32_t kMaxValue = 4u << 20;

enum class Order { kFirstIn, kLastIn };

class QueueMap final : public Map {
 public:
  QueueMap(const MapOps& ops, const MapSpec& spec, MapHost& host, MapMemory memory, Order order)
      : Map(ops, spec, host), memory_(std::move(memory)), order_(order) {}

  long push(const void* value, std::uint64_t flags) noexcept {
    if (flags > uapi::BPF_EXIST || (flags & uapi::BPF_NOEXIST) != 0) return to_syscall(Errno::kInval);
    WordLockGuard guard(lock_);
    if (count_ == max_entries()) {
      if ((flags & uapi::BPF_EXIST) == 0) return to_syscall(Errno::kTooBig);
      oldest_ = slot_after(oldest_, 1);
      --count_;
    }
    std::memcpy(slot(slot_after(oldest_, count_)), value, value_size());
    ++count_;
    return 0;
  }

  /// remove: pop, else peek. An empty map leaves zeros.
  long take(void* value, bool remove) noexcept {
    WordLockGuard guard(lock_);
    if (count_ == 0) {
      std::memset(value, 0, value_size());
      return to_syscall(Errno::kNoEnt);
    }
    const std::uint32_t from = order_ == Order::kFirstIn ? oldest_ : slot_after(oldest_, count_ - 1);
    std::memcpy(value, slot(from), value_size());
    if (remove) {
      --count_;
      if (order_ == Order::kFirstIn) oldest_ = slot_after(oldest_, 1);
    }
    return 0;
  }

  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  std::byte* slot(std::uint32_t index) const { return memory_.data() + std::uint64_t{index} * value_size(); }
  std::uint32_t slot_after(std::uint32_t index, std::uint32_t steps) const {
    return static_cast<std::uint32_t>((std::uint64_t{index} + steps) % max_entries());
  }

  MapMemory memory_;
  const Order order_;
  WordLock lock_;
  std::uint32_t oldest_ RING3_GUARDED_BY(lock_) = 0;
  std::uint32_t count_ RING3_GUARDED_BY(lock_) = 0;
};

QueueMap& as_queue(Map& map) { return static_cast<QueueMap&>(map); }

Result<void> as_result(long code) { return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code)); }

Result<void> check(const MapSpec& spec) {
  if (spec.max_entries == 0 || spec.key_size != 0 || spec.value_size == 0 ||
      (spec.flags & ~(uapi::BPF_F_NUMA_NODE | kAccessFlags)) != 0 || !access_flags_ok(spec.flags))
    return Errno::kInval;
  if (spec.value_size > kMaxValue) return Errno::kTooBig;
  return {};
}

Result<Ref<Map>> create(const MapOps& ops, const MapSpec& spec, MapHost& host, Order order) {
  MapMemory memory = RING3_TRY(MapMemory::zeroed(std::uint64_t{spec.value_size} * spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new QueueMap(ops, spec, host, std::move(memory), order));
}

Result<Ref<Map>> create_queue(const MapSpec& spec, MapHost& host) {
  return create(queue_ops, spec, host, Order::kFirstIn);
}
Result<Ref<Map>> create_stack(const MapSpec& spec, MapHost& host) {
  return create(stack_ops, spec, host, Order::kLastIn);
}

// Client side.

Result<void> control_peek(Map& m, std::span<const std::byte>, std::span<std::byte> value, std::uint64_t) {
  return as_result(as_queue(m).take(value.data(), false));
}
Result<void> control_push(Map& m, std::span<const std::byte>, std::span<const std::byte> value, std::uint64_t flags,
                          FdSource&) {
  return as_result(as_queue(m).push(value.data(), flags));
}
Result<void> control_pop(Map& m, std::span<const std::byte>, std::span<std::byte> value, std::uint64_t flags) {
  if (flags != 0) return Errno::kInval;
  return as_result(as_queue(m).take(value.data(), true));
}
Result<void> no_erase(Map&, std::span<const std::byte>) { return Errno::kInval; }
Result<void> no_next_key(Map&, std::span<const std::byte>, std::span<std::byte>) { return Errno::kInval; }

std::uint64_t memory_bytes(const Map& m) {
  return sizeof(QueueMap) + static_cast<const QueueMap&>(m).bytes();
}

// Program side.

long push(Map& m, const void* value, std::uint64_t flags) noexcept { return as_queue(m).push(value, flags); }
long pop(Map& m, void* value) noexcept { return as_queue(m).take(value, true); }
long peek(Map& m, void* value) noexcept { return as_queue(m).take(value, false); }

constexpr DataOps kData = {.push = push, .pop = pop, .peek = peek};

}  // namespace

const MapOps queue_ops = {
    .type = uapi::BPF_MAP_TYPE_QUEUE,
    .name = "queue",
    .control = {.check = check,
                .create = create_queue,
                .lookup = control_peek,
                .update = control_push,
                .erase = no_erase,
                .lookup_and_erase = control_pop,
                .next_key = no_next_key,
                .memory_bytes = memory_bytes},
    .data = kData,
    .codegen = {},
};

const MapOps stack_ops = {
    .type = uapi::BPF_MAP_TYPE_STACK,
    .name = "stack",
    .control = {.check = check,
                .create = create_stack,
                .lookup = control_peek,
                .update = control_push,
                .erase = no_erase,
                .lookup_and_erase = control_pop,
                .next_key = no_next_key,
                .memory_bytes = memory_bytes},
    .data = kData,
    .codegen = {},
};

}  // namespace ring3::maps
