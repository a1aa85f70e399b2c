// Stack trace: one place per hash of a chain. A chain is written once, before it is linked, and freed after
// readers, so nobody sees half of one.
#include "maps/stack_trace.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/kinds.h"
#include "maps/map_check.h"
#include "maps/random_seed.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kMaxDepth = 127;  // Linux: perf_event_max_stack as it comes
constexpr std::uint32_t kMaxBuckets = 1u << 31;
constexpr std::uint32_t kBuildIdEntry = 32;  // struct bpf_stack_build_id

struct Chain {
  rcu::Deferred deferred;
  std::uint32_t hash;
  std::uint32_t words;
  std::uint64_t* entries() { return reinterpret_cast<std::uint64_t*>(this + 1); }
};
static_assert(sizeof(Chain) % 8 == 0);

class StackTraceMap final : public Map {
 public:
  using Buckets = std::unique_ptr<std::atomic<Chain*>[]>;
  StackTraceMap(const MapSpec& spec, MapHost& host, Buckets buckets, std::uint32_t count)
      : Map(stack_trace_ops, spec, host), buckets_(std::move(buckets)), count_(count), seed_(random_seed()) {}

  std::uint32_t count() const { return count_; }
  std::uint32_t max_words() const { return value_size() / 8; }
  /// Of a place on the stack.
  std::size_t entry_words() const { return (spec().flags & uapi::BPF_F_STACK_BUILD_ID) != 0 ? kBuildIdEntry / 8 : 1; }
  /// Inside a read section; null: nothing there.
  Chain* at(std::uint32_t id) const noexcept {
    return id < count_ ? buckets_[id].load(std::memory_order_acquire) : nullptr;
  }
  Result<void> erase(std::uint32_t id) noexcept {
    if (id >= count_) return Errno::kTooBig;
    Chain* const old = buckets_[id].exchange(nullptr, std::memory_order_acq_rel);
    retire(old);
    return old != nullptr ? Result<void>() : Errno::kNoEnt;
  }
  long store(std::span<const std::uint64_t> chain, std::uint64_t flags) noexcept;
  /// With a chain in every bucket: Linux makes them all at once.
  std::uint64_t bytes() const {
    return sizeof *this + std::uint64_t{count_} * (sizeof(Chain*) + sizeof(Chain) + value_size());
  }

 private:
  ~StackTraceMap() override {
    for (std::uint32_t i = 0; i < count_; ++i) std::free(buckets_[i].load(std::memory_order_relaxed));
  }
  static void retire(Chain* c) noexcept {
    if (!c) return;
    rcu::call_after_readers(&c->deferred, [](rcu::Deferred* d) { std::free(d); });
  }

  const Buckets buckets_;
  const std::uint32_t count_;
  const std::uint64_t seed_;
};

StackTraceMap& as_traces(Map& map) { return static_cast<StackTraceMap&>(map); }

long StackTraceMap::store(std::span<const std::uint64_t> chain, std::uint64_t flags) noexcept {
  constexpr std::uint64_t kKnown = kStackSkipMask | kStackUser | kStackFastCompare | kStackReuseId;
  if (flags & ~kKnown) return to_syscall(Errno::kInval);
  const std::size_t skip = (flags & kStackSkipMask) * entry_words();
  if (chain.size() <= skip) return to_syscall(Errno::kFault);
  chain = chain.subspan(skip);
  if (chain.size() > max_words()) chain = chain.first(max_words());
  const auto hash = static_cast<std::uint32_t>(XXH3_64bits_withSeed(chain.data(), chain.size_bytes(), seed_));
  const std::uint32_t id = hash & (count_ - 1);
  if (Chain* there = at(id)) {
    const bool same = there->hash == hash &&
                      ((flags & kStackFastCompare) != 0 ||
                       (there->words == chain.size() &&
                        std::memcmp(there->entries(), chain.data(), chain.size_bytes()) == 0));
    if (same) return id;
    if ((flags & kStackReuseId) == 0) return to_syscall(Errno::kExist);
  }
  if (fault_point()) return to_syscall(Errno::kNoMem);
  void* block = std::malloc(sizeof(Chain) + chain.size_bytes());
  if (!block) return to_syscall(Errno::kNoMem);
  Chain* fresh = new (block) Chain{{}, hash, static_cast<std::uint32_t>(chain.size())};
  std::memcpy(fresh->entries(), chain.data(), chain.size_bytes());
  retire(buckets_[id].exchange(fresh, std::memory_order_acq_rel));
  return id;
}

Result<void> check(const MapSpec& spec) {
  const bool build_ids = (spec.flags & uapi::BPF_F_STACK_BUILD_ID) != 0;
  const std::uint32_t entry = build_ids ? kBuildIdEntry : 8;
  const std::uint32_t known = uapi::BPF_F_NUMA_NODE | uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY |
                              uapi::BPF_F_STACK_BUILD_ID;
  if ((spec.flags & ~known) != 0 || spec.max_entries == 0 || spec.key_size != sizeof(std::uint32_t) ||
      spec.value_size < 8 || spec.value_size % entry != 0 || spec.value_size / entry > kMaxDepth)
    return Errno::kInval;
  return spec.max_entries > kMaxBuckets ? Result<void>(Errno::kTooBig) : Result<void>();
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  const std::uint32_t count = std::bit_ceil(spec.max_entries);
  if (fault_point()) return Errno::kNoMem;
  StackTraceMap::Buckets buckets(new (std::nothrow) std::atomic<Chain*>[count]());
  if (!buckets) return Errno::kNoMem;
  return Ref<Map>::adopt(new StackTraceMap(spec, host, std::move(buckets), count));
}

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  rcu::ReadSection section;
  Chain* chain = as_traces(m).at(array_index(key.data()));
  if (!chain) return Errno::kNoEnt;
  std::memset(value.data(), 0, value.size());
  std::memcpy(value.data(), chain->entries(), std::size_t{chain->words} * 8);
  return {};
}

Result<void> no_update(Map&, std::span<const std::byte>, std::span<const std::byte>, std::uint64_t, FdSource&) {
  return Errno::kInval;
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  return as_traces(m).erase(array_index(key.data()));
}

Result<void> control_next_key(Map& m, std::span<const std::byte> key, std::span<std::byte> next) {
  StackTraceMap& map = as_traces(m);
  rcu::ReadSection section;
  // A number without a chain starts the walk again, as in Linux.
  std::uint32_t id = 0;
  if (!key.empty() && map.at(array_index(key.data()))) id = array_index(key.data()) + 1;
  while (id < map.count() && !map.at(id)) ++id;
  if (id >= map.count()) return Errno::kNoEnt;
  std::memcpy(next.data(), &id, sizeof id);
  return {};
}

std::uint64_t memory_bytes(const Map& m) { return static_cast<const StackTraceMap&>(m).bytes(); }

long erase(Map& m, const void* key) noexcept {
  const Result<void> erased = as_traces(m).erase(array_index(key));
  return erased.ok() ? 0 : to_syscall(erased.error());
}

}  // namespace

long stack_trace_store(Map& map, std::span<const std::uint64_t> chain, std::uint64_t flags) noexcept {
  return as_traces(map).store(chain, flags);
}

const MapOps stack_trace_ops = {
    .type = uapi::BPF_MAP_TYPE_STACK_TRACE,
    .name = "stack_trace",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = control_lookup,
                .update = no_update,
                .erase = control_erase,
                .next_key = control_next_key,
                .memory_bytes = memory_bytes},
    .data = {.erase = erase},
    .codegen = {},
};

}  // namespace ring3::maps
