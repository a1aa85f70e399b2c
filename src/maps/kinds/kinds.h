// The operations of every family; map_kinds.cc lists them.
#pragma once

#include "maps/map_ops.h"

namespace ring3::maps {

extern const MapOps array_ops;
extern const MapOps percpu_array_ops;
extern const MapOps hash_ops;
extern const MapOps percpu_hash_ops;
extern const MapOps lru_hash_ops;
extern const MapOps lru_percpu_hash_ops;
extern const MapOps prog_array_ops;
extern const MapOps array_of_maps_ops;
extern const MapOps hash_of_maps_ops;
extern const MapOps ringbuf_ops;
extern const MapOps user_ringbuf_ops;
extern const MapOps queue_ops;
extern const MapOps stack_ops;
extern const MapOps bloom_filter_ops;
extern const MapOps lpm_trie_ops;
extern const MapOps stack_trace_ops;
extern const MapOps perf_event_array_ops;
extern const MapOps arena_ops;
extern const MapOps task_storage_ops;
extern const MapOps inode_storage_ops;
extern const MapOps sk_storage_ops;
extern const MapOps cgrp_storage_ops;
extern const MapOps cgroup_array_ops;
extern const MapOps cgroup_storage_ops;
extern const MapOps percpu_cgroup_storage_ops;
extern const MapOps devmap_ops;
extern const MapOps devmap_hash_ops;
extern const MapOps cpumap_ops;
extern const MapOps xskmap_ops;
extern const MapOps sockmap_ops;
extern const MapOps sockhash_ops;
extern const MapOps reuseport_sockarray_ops;

}  // namespace ring3::maps
