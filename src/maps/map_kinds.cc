#include "maps/map_kinds.h"

#include <fmt/format.h>

#include "base/check.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

using namespace uapi;  // NOLINT: the rows are the ABI's names

constexpr MapKindRow kRows[] = {
    {BPF_MAP_TYPE_HASH, "hash", &hash_ops},
    {BPF_MAP_TYPE_ARRAY, "array", &array_ops},
    {BPF_MAP_TYPE_PROG_ARRAY, "prog_array", &prog_array_ops},
    {BPF_MAP_TYPE_PERF_EVENT_ARRAY, "perf_event_array", &perf_event_array_ops},
    {BPF_MAP_TYPE_PERCPU_HASH, "percpu_hash", &percpu_hash_ops},
    {BPF_MAP_TYPE_PERCPU_ARRAY, "percpu_array", &percpu_array_ops},
    {BPF_MAP_TYPE_STACK_TRACE, "stack_trace", &stack_trace_ops},
    {BPF_MAP_TYPE_CGROUP_ARRAY, "cgroup_array", &cgroup_array_ops},
    {BPF_MAP_TYPE_LRU_HASH, "lru_hash", &lru_hash_ops},
    {BPF_MAP_TYPE_LRU_PERCPU_HASH, "lru_percpu_hash", &lru_percpu_hash_ops},
    {BPF_MAP_TYPE_LPM_TRIE, "lpm_trie", &lpm_trie_ops},
    {BPF_MAP_TYPE_ARRAY_OF_MAPS, "array_of_maps", &array_of_maps_ops},
    {BPF_MAP_TYPE_HASH_OF_MAPS, "hash_of_maps", &hash_of_maps_ops},
    {BPF_MAP_TYPE_DEVMAP, "devmap", &devmap_ops},
    {BPF_MAP_TYPE_SOCKMAP, "sockmap", &sockmap_ops},
    {BPF_MAP_TYPE_CPUMAP, "cpumap", &cpumap_ops},
    {BPF_MAP_TYPE_XSKMAP, "xskmap", &xskmap_ops},
    {BPF_MAP_TYPE_SOCKHASH, "sockhash", &sockhash_ops},
    {BPF_MAP_TYPE_CGROUP_STORAGE, "cgroup_storage", &cgroup_storage_ops},
    {BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "reuseport_sockarray", &reuseport_sockarray_ops},
    {BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, "percpu_cgroup_storage", &percpu_cgroup_storage_ops},
    {BPF_MAP_TYPE_QUEUE, "queue", &queue_ops},
    {BPF_MAP_TYPE_STACK, "stack", &stack_ops},
    {BPF_MAP_TYPE_SK_STORAGE, "sk_storage", &sk_storage_ops},
    {BPF_MAP_TYPE_DEVMAP_HASH, "devmap_hash", &devmap_hash_ops},
    {BPF_MAP_TYPE_STRUCT_OPS, "struct_ops", nullptr, "this host offers no struct_ops types"},
    {BPF_MAP_TYPE_RINGBUF, "ringbuf", &ringbuf_ops},
    {BPF_MAP_TYPE_INODE_STORAGE, "inode_storage", &inode_storage_ops},
    {BPF_MAP_TYPE_TASK_STORAGE, "task_storage", &task_storage_ops},
    {BPF_MAP_TYPE_BLOOM_FILTER, "bloom_filter", &bloom_filter_ops},
    {BPF_MAP_TYPE_USER_RINGBUF, "user_ringbuf", &user_ringbuf_ops},
    {BPF_MAP_TYPE_CGRP_STORAGE, "cgrp_storage", &cgrp_storage_ops},
    {BPF_MAP_TYPE_ARENA, "arena", &arena_ops},
};

consteval bool rows_follow_the_abi() {
  for (std::size_t i = 0; i < std::size(kRows); ++i)
    if (kRows[i].type != i + 1) return false;
  return std::size(kRows) == kMapTypes && kMapTypes + 1 == __MAX_BPF_MAP_TYPE;
}
static_assert(rows_follow_the_abi());

}  // namespace

MapKinds::MapKinds() { std::copy(std::begin(kRows), std::end(kRows), rows_.begin()); }

void MapKinds::add(const MapOps& ops) {
  MapKindRow& row = rows_[ops.type - 1];
  RING3_CHECK(row.ops == nullptr, "a map kind is registered once");
  row.ops = &ops;
  row.why = nullptr;
}

const MapKindRow* MapKinds::row(std::uint32_t type) const {
  return type >= 1 && type <= kMapTypes ? &rows_[type - 1] : nullptr;
}

Result<const MapOps*> MapKinds::find(std::uint32_t type, TextSink& log) const {
  const MapKindRow* r = row(type);
  if (r && r->ops) return r->ops;
  if (r)
    log.write(fmt::format("map type {} ({}) is not supported: {}\n", type, r->name, r->why));
  else
    log.write(fmt::format("unknown map type {}\n", type));
  return Errno::kInval;
}

}  // namespace ring3::maps
