// Maps about control groups: cgroup_array, cgroup_storage, percpu_cgroup_storage. Programs that use them load and are
// verified; a host has no control groups, so an array takes no descriptor and a storage, which in Linux comes into
// being where a program is attached to a group, has no element. A program that runs has storage all the same, as a test
// run has in Linux: here one value for each map (and CPU), zero at first, that clients do not see and that lives as long as the map.
#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/fd_array.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/target_maps.h"
#include "maps/map_memory.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kGroupKey = sizeof(std::uint64_t);
constexpr std::uint32_t kGroupAndTypeKey = 16;  // struct bpf_cgroup_storage_key

Result<void> check_array(const MapSpec& spec) { return check_fd_array(spec, 0); }

Result<Ref<Map>> create_array(const MapSpec& spec, MapHost& host) {
  return EmptyMap::make(cgroup_array_ops, spec, host);
}

Result<void> update_array(Map& m, std::span<const std::byte> key, std::span<const std::byte>, std::uint64_t flags,
                          FdSource&) {
  if (flags != uapi::BPF_ANY) return Errno::kInval;
  if (array_index(key.data()) >= m.max_entries()) return Errno::kTooBig;
  return Errno::kBadF;  // whatever it is, it is no control group
}

Result<void> erase_array(Map& m, std::span<const std::byte> key) {
  return array_index(key.data()) < m.max_entries() ? Errno::kNoEnt : Errno::kTooBig;
}

Result<void> check_storage(const MapSpec& spec, std::uint32_t max_value) {
  if (spec.key_size != kGroupKey && spec.key_size != kGroupAndTypeKey) return Errno::kInval;
  if (spec.value_size == 0) return Errno::kInval;
  if (spec.value_size > max_value) return Errno::kTooBig;
  if ((spec.flags & ~(uapi::BPF_F_NUMA_NODE | kAccessFlags)) != 0 || !access_flags_ok(spec.flags)) return Errno::kInval;
  if (spec.max_entries != 0) return Errno::kInval;
  return {};
}

constexpr std::uint32_t kMaxSharedValue = 0xffff - 128;

Result<void> check_shared(const MapSpec& spec) { return check_storage(spec, kMaxSharedValue); }
Result<void> check_percpu(const MapSpec& spec) { return check_storage(spec, kMaxPerCpuValue); }

/// A struct of a 64-bit and a 32-bit member, or the 64-bit integer alone.
Result<void> check_storage_btf(const MapSpec& spec) {
  if (spec.key_type == 0) return Errno::kInval;
  const btf::TypeId key = spec.btf->skip_modifiers(spec.key_type);
  if (spec.key_size == kGroupKey) {
    const auto group = spec.btf->integer(key);
    return group && group->bits == 64 && group->bit_off == 0 ? Result<void>() : Result<void>(Errno::kInval);
  }
  const btf::Type* type = spec.btf->type(key);
  return type != nullptr && type->kind == btf::Kind::kStruct ? Result<void>() : Result<void>(Errno::kInval);
}

constexpr std::uint64_t kCacheLine = 64;

class StorageMap final : public Map {
 public:
  StorageMap(const MapOps& ops, const MapSpec& spec, MapHost& host, MapMemory memory)
      : Map(ops, spec, host), memory_(std::move(memory)), stride_(stride(spec)) {}

  static std::uint64_t stride(const MapSpec& spec) { return round_up(spec.value_size, kCacheLine); }
  std::byte* copy(std::uint32_t cpu) const { return memory_.data() + cpu * stride_; }
  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  MapMemory memory_;
  const std::uint64_t stride_;
};

Result<Ref<Map>> make_storage(const MapOps& ops, const MapSpec& spec, MapHost& host, std::uint32_t copies) {
  MapMemory memory = RING3_TRY(MapMemory::zeroed(StorageMap::stride(spec) * copies));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>(Ref<StorageMap>::adopt(new StorageMap(ops, spec, host, std::move(memory))));
}

Result<Ref<Map>> create_shared(const MapSpec& spec, MapHost& host) { return make_storage(cgroup_storage_ops, spec, host, 1); }
Result<Ref<Map>> create_percpu(const MapSpec& spec, MapHost& host) {
  return make_storage(percpu_cgroup_storage_ops, spec, host, host.possible_cpus());
}

/// What bpf_get_local_storage answers: it knows no key.
void* own_storage(Map& m, const void*) noexcept { return static_cast<StorageMap&>(m).copy(0); }
void* own_percpu_storage(Map& m, const void*) noexcept { return static_cast<StorageMap&>(m).copy(m.host().current_cpu()); }
std::uint64_t storage_bytes(const Map& m) { return sizeof(StorageMap) + static_cast<const StorageMap&>(m).bytes(); }

Result<void> lookup_storage(Map&, std::span<const std::byte>, std::span<std::byte>, std::uint64_t) {
  return Errno::kNoEnt;
}

template <bool PerCpu>
Result<void> update_storage(Map&, std::span<const std::byte>, std::span<const std::byte>, std::uint64_t flags,
                            FdSource&) {
  if (PerCpu ? flags != uapi::BPF_ANY && flags != uapi::BPF_EXIST
             : (flags & ~std::uint64_t{uapi::BPF_F_LOCK | uapi::BPF_EXIST}) != 0)
    return Errno::kInval;
  return Errno::kNoEnt;
}

Result<void> erase_storage(Map&, std::span<const std::byte>) { return Errno::kInval; }
Result<void> next_storage(Map&, std::span<const std::byte>, std::span<std::byte>) { return Errno::kNoEnt; }

std::size_t value_of_every_cpu(const Map& map) {
  return round_up(map.value_size(), 8) * std::size_t{map.host().possible_cpus()};
}

}  // namespace

const MapOps cgroup_array_ops = {
    .type = uapi::BPF_MAP_TYPE_CGROUP_ARRAY,
    .name = "cgroup_array",
    .control = {.check = check_array,
                .check_btf = refuse_btf,
                .create = create_array,
                .update = update_array,
                .erase = erase_array,
                .next_key = array_next_key,
                .memory_bytes = empty_map_bytes,
                .missing = Errno::kNotSupp},
    .data = {.lookup = find_nothing},
    .codegen = {},
};

const MapOps cgroup_storage_ops = {
    .type = uapi::BPF_MAP_TYPE_CGROUP_STORAGE,
    .name = "cgroup_storage",
    .control = {.check = check_shared,
                .check_btf = check_storage_btf,
                .create = create_shared,
                .lookup = lookup_storage,
                .update = update_storage<false>,
                .erase = erase_storage,
                .next_key = next_storage,
                .memory_bytes = storage_bytes,
                .printable = true},
    .data = {.lookup = own_storage},
    .codegen = {},
};

const MapOps percpu_cgroup_storage_ops = {
    .type = uapi::BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE,
    .name = "percpu_cgroup_storage",
    .control = {.check = check_percpu,
                .check_btf = check_storage_btf,
                .create = create_percpu,
                .lookup = lookup_storage,
                .update = update_storage<true>,
                .erase = erase_storage,
                .next_key = next_storage,
                .value_bytes = value_of_every_cpu,
                .memory_bytes = storage_bytes,
                .printable = true},
    .data = {.lookup = own_percpu_storage},
    .codegen = {},
};

}  // namespace ring3::maps
