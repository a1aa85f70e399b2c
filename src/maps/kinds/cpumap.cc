// CPU map: queues of packets for other CPUs. A host has no such queues: an entry that asks for one is refused with
// what Linux says about a CPU that is not there.
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/target_maps.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kMaxQueue = 16384;
constexpr std::uint32_t kMaxCpus = 8192;  // Linux's, not the machine's: objects are built for any

Result<void> check(const MapSpec& spec) {
  RING3_TRY(check_target_array(spec, uapi::BPF_F_NUMA_NODE, is_target_value(spec)));
  return spec.max_entries <= kMaxCpus ? Result<void>() : Result<void>(Errno::kTooBig);
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  return EmptyMap::make(cpumap_ops, spec, host);
}

Result<void> lookup(Map&, std::span<const std::byte>, std::span<std::byte>, std::uint64_t) { return Errno::kNoEnt; }

Result<void> update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value, std::uint64_t flags,
                    FdSource&) {
  if (flags > uapi::BPF_EXIST) return Errno::kInval;
  if (array_index(key.data()) >= m.max_entries()) return Errno::kTooBig;
  if (flags == uapi::BPF_NOEXIST) return Errno::kExist;
  const std::uint32_t queue = array_index(value.data());
  if (queue > kMaxQueue) return Errno::kOverflow;
  return queue == 0 ? Result<void>() : Result<void>(Errno::kNoDev);
}

Result<void> erase(Map& m, std::span<const std::byte> key) {
  return array_index(key.data()) < m.max_entries() ? Result<void>() : Result<void>(Errno::kInval);
}

}  // namespace

const MapOps cpumap_ops = {
    .type = uapi::BPF_MAP_TYPE_CPUMAP,
    .name = "cpumap",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = lookup,
                .update = update,
                .erase = erase,
                .next_key = array_next_key,
                .memory_bytes = empty_map_bytes},
    .data = {.lookup = find_nothing},
    .codegen = {},
};

}  // namespace ring3::maps
