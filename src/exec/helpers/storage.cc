// Object storage and stored references, as bpf-helpers(7) describes them; the maps are maps/object_storage.h.
#include "maps/object_storage.h"

#include "exec/helpers/rows.h"
#include "object/weak_table.h"

namespace ring3::exec {
namespace {

maps::Map& map_of(std::uint64_t r) { return *pointer_register<maps::Map>(r); }

std::uint64_t get(std::uint64_t map, std::uint64_t owner, std::uint64_t init, std::uint64_t flags, std::uint64_t,
                  RunContext&) {
  return reinterpret_cast<std::uint64_t>(
      maps::storage_get(map_of(map), pointer_register<void>(owner), pointer_register<void>(init), flags));
}
std::uint64_t remove(std::uint64_t map, std::uint64_t owner, std::uint64_t, std::uint64_t, std::uint64_t,
                     RunContext&) {
  return to_register(maps::storage_delete(map_of(map), pointer_register<void>(owner)));
}

/// One atomic swap: concurrent callers each get a former value of their own.
std::uint64_t kptr_xchg(std::uint64_t field, std::uint64_t object, std::uint64_t, std::uint64_t, std::uint64_t,
                        RunContext&) {
  return __atomic_exchange_n(pointer_register<std::uint64_t>(field), object, __ATOMIC_ACQ_REL);
}

/// The value of a cgroup storage map: there is one, or one for each CPU.
std::uint64_t get_local_storage(std::uint64_t map, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  maps::Map& storage = map_of(map);
  return reinterpret_cast<std::uint64_t>(storage.ops().data.lookup(storage, nullptr));
}

/// The same of a slot that does not keep the object alive.
std::uint64_t weak_exchange(std::uint64_t field, std::uint64_t object, std::uint64_t type, std::uint64_t, std::uint64_t,
                            RunContext&) {
  return reinterpret_cast<std::uint64_t>(weak::exchange(pointer_register<std::uint64_t>(field), pointer_register<void>(object),
                                                        *pointer_register<const WeakType>(type)));
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(task_storage_get, get),  RING3_HELPER(task_storage_delete, remove),
    RING3_HELPER(sk_storage_get, get),    RING3_HELPER(sk_storage_delete, remove),
    RING3_HELPER(inode_storage_get, get), RING3_HELPER(inode_storage_delete, remove),
    RING3_HELPER(cgrp_storage_get, get),  RING3_HELPER(cgrp_storage_delete, remove),
    RING3_HELPER(get_local_storage, get_local_storage),
    RING3_HELPER(kptr_xchg, kptr_xchg),
};

constexpr rewrite::HelperCall kWeakRows[] = {{rewrite::kWeakExchangeHelper, "bpf_kptr_xchg of a weak slot", weak_exchange}};

}  // namespace

HelperRows storage_helpers() { return kRows; }
HelperRows weak_helpers() { return kWeakRows; }

}  // namespace ring3::exec
