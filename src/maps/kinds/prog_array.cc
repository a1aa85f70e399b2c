// Program array: the table of tail calls. A client puts descriptors in and reads ids out. Because a program
// may hold the array it is in, the array lets all programs go when the last user reference to it goes; that
// breaks the only cycle the reference graph can have (behaviour.md F.1.1).
#include "maps/prog_array.h"

#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/object_slots.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

class ProgArrayMap final : public Map {
 public:
  ProgArrayMap(const MapSpec& spec, MapHost& host, ObjectSlots&& made)
      : Map(prog_array_ops, spec, host), slots(std::move(made)) {}
  ObjectSlots slots;
};

ProgArrayMap& as_prog_array(Map& map) { return static_cast<ProgArrayMap&>(map); }

Result<void> check(const MapSpec& spec) {
  RING3_TRY(check_array_attr(spec, uapi::BPF_F_NUMA_NODE | kAccessFlags));
  // Values are descriptors; a program neither reads nor writes them, so access flags for programs mean nothing.
  if (spec.value_size != sizeof(std::uint32_t)) return Errno::kInval;
  if (spec.flags & (uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG)) return Errno::kInval;
  return {};
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  ObjectSlots slots = RING3_TRY(ObjectSlots::make(spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new ProgArrayMap(spec, host, std::move(slots)));
}

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  rcu::ReadSection section;
  Object* prog = as_prog_array(m).slots.get(array_index(key.data()));
  if (!prog) return Errno::kNoEnt;
  const std::uint32_t id = prog->id();
  std::memcpy(value.data(), &id, sizeof id);
  return {};
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource& fds) {
  const std::uint32_t index = array_index(key.data());
  if (flags != uapi::BPF_ANY) return Errno::kInval;
  if (index >= m.max_entries()) return Errno::kTooBig;
  std::int32_t fd;
  std::memcpy(&fd, value.data(), sizeof fd);
  Ref<Object> prog = RING3_TRY(fds.object(fd, ObjectKind::kProg));
  RING3_TRY(m.host().check_prog_array_entry(m, *prog));
  as_prog_array(m).slots.exchange(index, std::move(prog));
  return {};
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  const std::uint32_t index = array_index(key.data());
  if (index >= m.max_entries()) return Errno::kTooBig;
  if (!as_prog_array(m).slots.exchange(index, nullptr)) return Errno::kNoEnt;
  return {};
}

std::uint64_t memory_bytes(const Map& m) {
  return sizeof(ProgArrayMap) + static_cast<const ProgArrayMap&>(m).slots.bytes();
}

void last_user_ref(Map& m) noexcept { as_prog_array(m).slots.clear(); }

void* lookup(Map& m, const void* key) noexcept { return as_prog_array(m).slots.get(array_index(key)); }

}  // namespace

Object* target(Map& map, std::uint32_t index) noexcept { return as_prog_array(map).slots.get(index); }

const MapOps prog_array_ops = {
    .type = uapi::BPF_MAP_TYPE_PROG_ARRAY,
    .name = "prog_array",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = control_erase,
                .next_key = array_next_key,
                .memory_bytes = memory_bytes,
                .last_user_ref = last_user_ref,
                .missing = Errno::kNotSupp},
    .data = {.lookup = lookup},
    .codegen = {},
};

}  // namespace ring3::maps
