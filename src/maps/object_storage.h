// Object storage: one value per object of the host. Task storage is keyed by tasks; the others by whatever host
// objects the programs' helpers take.
//
// An object is its address. Nothing is kept alive: the host says when an object goes
// (MapHost::storage_owner_gone), and everything kept for it goes with it, stored references included.
//
// Source: bpf_task_storage_get and its kin in bpf-helpers(7). Inside read sections; never blocks.
#pragma once

#include <cstdint>

#include "maps/map.h"

namespace ring3::maps {

/// The object's value. flags: 0, or BPF_LOCAL_STORAGE_GET_F_CREATE to make one from `init` (value_size bytes; null:
/// zeros) when there is none. Null: no value, no memory, unknown flags, or no object.
void* storage_get(Map& map, const void* owner, const void* init, std::uint64_t flags) noexcept;

/// fn(address of the object's address, value, data) for each until it returns nonzero.
void storage_for_each(Map& map, std::uint64_t (*fn)(const void* key, void* value, void* data), void* data) noexcept;

/// 0 or -ENOENT; -EINVAL no object.
long storage_delete(Map& map, const void* owner) noexcept;

}  // namespace ring3::maps
