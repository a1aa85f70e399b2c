// Object storage maps: a hash of the objects' addresses, elements from the heap, no limit on their number. A client
// names an object by a number that the host understands (MapHost::storage_owner).
#include "maps/object_storage.h"

#include <cstring>

#include "base/try.h"
#include "maps/kinds/hash_values.h"
#include "maps/kinds/kinds.h"
#include "maps/map_check.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

// Linux keeps a value together with its header in less than 64 KiB.
constexpr std::uint32_t kMaxValue = 0xffff - 128;
// Buckets, not elements: chains grow where a host has more objects.
constexpr std::uint32_t kBuckets = 1u << 14;

ElementLayout layout(const MapSpec& spec, const MapHost&) {
  return {.key_bytes = sizeof(std::uint64_t), .value_bytes = static_cast<std::uint32_t>(round_up(spec.value_size, 8))};
}

void* program_value(const HashMap& map, Element* e) { return map.layout().value(e); }
bool in_place(const HashMap&) { return true; }
void read(const HashMap& map, Element* e, std::byte* out) { map.shape().read(out, map.layout().value(e)); }
void released(HashMap& map, Element* e) { map.release_fields(map.layout().value(e)); }
void replaced(HashMap&, Element*, Reclaimed&) {}
void ending(HashMap& map) { map.host().remove_storage(map); }

constexpr HashValues kStorageValues = {layout, read, program_value, in_place, released, replaced, ending};

Result<void> check(const MapSpec& spec) {
  const std::uint32_t known = uapi::BPF_F_NO_PREALLOC | uapi::BPF_F_CLONE;
  if ((spec.flags & ~known) != 0 || (spec.flags & uapi::BPF_F_NO_PREALLOC) == 0 || spec.max_entries != 0 ||
      spec.key_size != sizeof(std::int32_t) || spec.value_size == 0 || spec.key_type == 0 || spec.value_type == 0)
    return Errno::kInval;
  if (spec.value_size > kMaxValue) return Errno::kTooBig;
  return {};
}

/// A key is what the client calls a descriptor.
Result<void> check_key_is_int(const MapSpec& spec) {
  const auto key = spec.btf->integer(spec.btf->skip_modifiers(spec.key_type));
  return key && key->bits == 32 && key->bit_off == 0 ? Result<void>() : Errno::kInval;
}

template <const MapOps& kOps>
Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  Ref<Map> map = RING3_TRY(HashMap::make(kOps, spec, host, kStorageValues, false,
                                         {sizeof(std::uint64_t), kBuckets, 0xffffffff}));
  host.add_storage(*map);
  return map;
}

/// The address that a client's key stands for.
Result<std::uint64_t> owner_of(Map& m, std::span<const std::byte> key) {
  std::int32_t number;
  std::memcpy(&number, key.data(), sizeof number);
  void* owner = RING3_TRY(m.host().storage_owner(m.spec().type, number));
  return reinterpret_cast<std::uint64_t>(owner);
}

std::span<const std::byte> as_key(const std::uint64_t& address) { return std::as_bytes(std::span(&address, 1)); }

// An owner's address stays its own while a read section lasts.

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags) {
  const rcu::ReadSection readers;
  const std::uint64_t owner = RING3_TRY(owner_of(m, key));
  return plain_lookup(m, as_key(owner), value, flags);
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource&) {
  const bool locked = (flags & uapi::BPF_F_LOCK) != 0;
  flags &= ~std::uint64_t{uapi::BPF_F_LOCK};
  if (flags > uapi::BPF_EXIST || (locked && !m.shape().has_lock())) return Errno::kInval;
  Reclaimed out;  // given back behind the section
  const rcu::ReadSection readers;
  const std::uint64_t owner = RING3_TRY(owner_of(m, key));
  const long code = as_hash(m).put(&owner, value.data(), flags, true, locked ? write_plain_locked : write_plain, out);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  const rcu::ReadSection readers;
  const std::uint64_t owner = RING3_TRY(owner_of(m, key));
  const long code = as_hash(m).remove(&owner);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

Result<void> no_next_key(Map&, std::span<const std::byte>, std::span<std::byte>) { return Errno::kNotSupp; }

constexpr MapOps storage(uapi::bpf_map_type type, const char* name,
                         Result<Ref<Map>> (*create_this)(const MapSpec&, MapHost&)) {
  return {.type = type,
          .name = name,
          .control = {.check = check,
                      .check_btf = check_key_is_int,
                      .create = create_this,
                      .lookup = control_lookup,
                      .update = control_update,
                      .erase = control_erase,
                      .next_key = no_next_key,
                      .memory_bytes = hash_memory_bytes,
                      .missing = Errno::kNotSupp},
          .data = {},
          .codegen = {}};
}

}  // namespace

void* storage_get(Map& map, const void* owner, const void* init, std::uint64_t flags) noexcept {
  if (!owner || (flags & ~std::uint64_t{uapi::BPF_LOCAL_STORAGE_GET_F_CREATE}) != 0) return nullptr;
  HashMap& table = as_hash(map);
  const auto address = reinterpret_cast<std::uint64_t>(owner);
  Element* e = table.find(&address);
  if (!e && flags != 0) {
    static constexpr std::byte kZeros[kMaxValue] = {};
    // Another thread may be first; then its value is the object's.
    Reclaimed none;
    table.put(&address, init ? init : kZeros, uapi::BPF_NOEXIST, true, write_plain, none);
    e = table.find(&address);
  }
  return e ? table.layout().value(e) : nullptr;
}

void storage_for_each(Map& map, std::uint64_t (*fn)(const void*, void*, void*), void* data) noexcept {
  as_hash(map).for_each(fn, data, 0);
}

long storage_delete(Map& map, const void* owner) noexcept {
  if (!owner) return to_syscall(Errno::kInval);
  const auto address = reinterpret_cast<std::uint64_t>(owner);
  return as_hash(map).remove(&address);
}

const MapOps task_storage_ops = storage(uapi::BPF_MAP_TYPE_TASK_STORAGE, "task_storage", create<task_storage_ops>);
const MapOps inode_storage_ops = storage(uapi::BPF_MAP_TYPE_INODE_STORAGE, "inode_storage", create<inode_storage_ops>);
const MapOps sk_storage_ops = storage(uapi::BPF_MAP_TYPE_SK_STORAGE, "sk_storage", create<sk_storage_ops>);
const MapOps cgrp_storage_ops = storage(uapi::BPF_MAP_TYPE_CGRP_STORAGE, "cgrp_storage", create<cgrp_storage_ops>);

}  // namespace ring3::maps
