// Bloom filter: push sets the bits of a value, peek asks whether all of them are set. No locks: bits are only
// ever set, so a value pushed before is always found, and a peek that races with a push may say either.
//
// The bits of one value come from one 128-bit hash, stepped (Kirsch and Mitzenmacher): as good as that many
// independent hashes. map_extra says how many bits a value has; the filter is sized so that at max_entries
// values about half of all bits are set.
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/map_check.h"
#include "maps/map_memory.h"
#include "maps/random_seed.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kMaxValue = 4u << 20;
constexpr std::uint32_t kDefaultHashes = 5;
constexpr std::uint64_t kMaxHashes = 15;
constexpr std::uint64_t kWordBits = 64;
constexpr std::uint64_t kMaxBits = std::uint64_t{1} << 32;

std::uint32_t hashes_of(const MapSpec& spec) {
  return spec.extra == 0 ? kDefaultHashes : static_cast<std::uint32_t>(spec.extra);
}

/// entries × hashes / ln 2, as a power of two.
std::uint64_t bits_of(const MapSpec& spec) {
  const std::uint64_t wanted = std::uint64_t{spec.max_entries} * hashes_of(spec) * 7 / 5;
  if (wanted >= kMaxBits) return kMaxBits;
  return std::bit_ceil(wanted < kWordBits ? kWordBits : wanted);
}

class BloomMap final : public Map {
 public:
  BloomMap(const MapSpec& spec, MapHost& host, MapMemory memory)
      : Map(bloom_filter_ops, spec, host),
        memory_(std::move(memory)),
        mask_(bits_of(spec) - 1),
        hashes_(hashes_of(spec)),
        seed_((spec.flags & uapi::BPF_F_ZERO_SEED) != 0 ? 0 : random_seed()) {}

  void add(const void* value) noexcept {
    each_bit(value, [](std::uint64_t& word, std::uint64_t bit) {
      // A set bit is not written again: the line stays shared.
      if ((__atomic_load_n(&word, __ATOMIC_RELAXED) & bit) == 0) __atomic_fetch_or(&word, bit, __ATOMIC_RELEASE);
      return true;
    });
  }
  bool may_contain(const void* value) const noexcept {
    return each_bit(value, [](std::uint64_t& word, std::uint64_t bit) {
      return (__atomic_load_n(&word, __ATOMIC_ACQUIRE) & bit) != 0;
    });
  }
  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  /// step(word, bit) for each bit of the value until it says false.
  template <typename Step>
  bool each_bit(const void* value, Step step) const noexcept {
    const XXH128_hash_t h = XXH3_128bits_withSeed(value, value_size(), seed_);
    auto* words = reinterpret_cast<std::uint64_t*>(memory_.data());
    for (std::uint32_t i = 0; i < hashes_; ++i) {
      const std::uint64_t at = (h.low64 + i * (h.high64 | 1)) & mask_;
      if (!step(words[at / kWordBits], std::uint64_t{1} << (at % kWordBits))) return false;
    }
    return true;
  }

  MapMemory memory_;
  const std::uint64_t mask_;
  const std::uint32_t hashes_;
  const std::uint64_t seed_;
};

BloomMap& as_bloom(Map& map) { return static_cast<BloomMap&>(map); }

Result<void> check(const MapSpec& spec) {
  if (spec.value_size == 0 || spec.max_entries == 0 || spec.key_size != 0 || spec.extra > kMaxHashes ||
      (spec.flags & ~(uapi::BPF_F_NUMA_NODE | uapi::BPF_F_ZERO_SEED | kAccessFlags)) != 0 ||
      !access_flags_ok(spec.flags))
    return Errno::kInval;
  if (spec.value_size > kMaxValue) return Errno::kTooBig;
  return {};
}

/// There are no keys, so no key type either.
Result<void> check_value_only(const MapSpec& spec) {
  return spec.key_type == 0 ? Result<void>() : Result<void>(Errno::kInval);
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  MapMemory memory = RING3_TRY(MapMemory::zeroed(bits_of(spec) / 8));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new BloomMap(spec, host, std::move(memory)));
}

long push(Map& m, const void* value, std::uint64_t flags) noexcept {
  if (flags != uapi::BPF_ANY) return to_syscall(Errno::kInval);
  as_bloom(m).add(value);
  return 0;
}

long pop(Map&, void*) noexcept { return to_syscall(Errno::kOpNotSupp); }

long peek(Map& m, void* value) noexcept {
  return as_bloom(m).may_contain(value) ? 0 : to_syscall(Errno::kNoEnt);
}

// Client side: a lookup asks about the value that the caller passes in.

Result<void> control_peek(Map& m, std::span<const std::byte>, std::span<std::byte> value, std::uint64_t) {
  return as_bloom(m).may_contain(value.data()) ? Result<void>() : Result<void>(Errno::kNoEnt);
}

Result<void> control_push(Map& m, std::span<const std::byte>, std::span<const std::byte> value, std::uint64_t flags,
                          FdSource&) {
  if (flags != uapi::BPF_ANY) return Errno::kInval;
  as_bloom(m).add(value.data());
  return {};
}

std::uint64_t memory_bytes(const Map& m) {
  return sizeof(BloomMap) + static_cast<const BloomMap&>(m).bytes();
}

}  // namespace

const MapOps bloom_filter_ops = {
    .type = uapi::BPF_MAP_TYPE_BLOOM_FILTER,
    .name = "bloom_filter",
    .control = {.check = check,
                .check_btf = check_value_only,
                .create = create,
                .lookup = control_peek,
                .lookup_asks = true,
                .update = control_push,
                .memory_bytes = memory_bytes},
    .data = {.push = push, .pop = pop, .peek = peek},
    .codegen = {},
};

}  // namespace ring3::maps
