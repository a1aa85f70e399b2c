// Array of maps: a program's lookup gives the inner map, a client's gives its id.
#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/inner_map.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/object_slots.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

class ArrayOfMaps final : public Map {
 public:
  ArrayOfMaps(const MapSpec& spec, MapHost& host, ObjectSlots&& made)
      : Map(array_of_maps_ops, spec, host), slots(std::move(made)) {}
  ObjectSlots slots;
};

ArrayOfMaps& as_outer(Map& map) { return static_cast<ArrayOfMaps&>(map); }

Result<void> check(const MapSpec& spec) {
  RING3_TRY(check_array_attr(spec, uapi::BPF_F_NUMA_NODE | kAccessFlags));
  if (spec.value_size != sizeof(std::uint32_t)) return Errno::kInval;
  if (spec.flags & (uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG)) return Errno::kInval;
  return {};
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  RING3_TRY(check_template(spec));
  ObjectSlots slots = RING3_TRY(ObjectSlots::make(spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new ArrayOfMaps(with_template_copied(spec), host, std::move(slots)));
}

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  rcu::ReadSection section;
  Object* inner = as_outer(m).slots.get(array_index(key.data()));
  if (!inner) return Errno::kNoEnt;
  const std::uint32_t id = inner->id();
  std::memcpy(value.data(), &id, sizeof id);
  return {};
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource& fds) {
  const std::uint32_t index = array_index(key.data());
  if (flags != uapi::BPF_ANY) return Errno::kInval;
  if (index >= m.max_entries()) return Errno::kTooBig;
  as_outer(m).slots.exchange(index, RING3_TRY(resolve_inner(m, value, fds)));
  return {};
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  const std::uint32_t index = array_index(key.data());
  if (index >= m.max_entries()) return Errno::kTooBig;
  if (!as_outer(m).slots.exchange(index, nullptr)) return Errno::kNoEnt;
  return {};
}

std::uint64_t memory_bytes(const Map& m) {
  return sizeof(ArrayOfMaps) + static_cast<const ArrayOfMaps&>(m).slots.bytes();
}

void* lookup(Map& m, const void* key) noexcept {
  return static_cast<Map*>(as_outer(m).slots.get(array_index(key)));
}

}  // namespace

const MapOps array_of_maps_ops = {
    .type = uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS,
    .name = "array_of_maps",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = control_erase,
                .next_key = array_next_key,
                .batch = true,
                .memory_bytes = memory_bytes,
                .missing = Errno::kNotSupp},
    .data = {.lookup = lookup},
    .codegen = {},
};

}  // namespace ring3::maps
