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

}  // namespace ring3::maps
