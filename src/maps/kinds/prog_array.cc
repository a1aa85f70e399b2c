// Program array: the table of tail calls. A client puts descriptors in and reads ids out. Because a program
// may hold the array it is in, the array lets all programs go when the last user reference to it goes; that
// breaks the only cycle the reference graph can have (behaviour.md F.1.1).
#include "maps/prog_array.h"

#include "maps/kinds/fd_array.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

Result<void> check(const MapSpec& spec) { return check_fd_array(spec, 0); }

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) { return FdArray::make(prog_array_ops, spec, host); }

Result<Ref<Object>> resolve(Map& m, std::span<const std::byte> value, FdSource& fds) {
  Ref<Object> prog = RING3_TRY(fds.object(fd_of(value), ObjectKind::kProg));
  RING3_TRY(m.host().check_prog_array_entry(m, *prog));
  return prog;
}

void last_user_ref(Map& m) noexcept { as_fd_array(m).let_all_go(); }

void* lookup(Map& m, const void* key) noexcept { return as_fd_array(m).slots.get(array_index(key)); }

}  // namespace

const std::atomic<Object*>* slots_of(const Map& map) noexcept { return static_cast<const FdArray&>(map).slots.data(); }

Object* target(Map& map, std::uint32_t index) noexcept { return as_fd_array(map).slots.get(index); }

bool admit(Map& map, const model::TailCallKind& kind) {
  FdArray& array = as_fd_array(map);
  MutexLock lock(array.owner_mutex);
  if (!array.owner.has_value()) array.owner = kind;
  return *array.owner == kind;
}

const MapOps prog_array_ops = {
    .type = uapi::BPF_MAP_TYPE_PROG_ARRAY,
    .name = "prog_array",
    .control = {.check = check,
                .create = create,
                .lookup = fd_array_lookup,
                .update = fd_array_update<resolve>,
                .erase = fd_array_erase,
                .next_key = array_next_key,
                .memory_bytes = fd_array_bytes,
                .last_user_ref = last_user_ref,
                .missing = Errno::kNotSupp},
    .data = {.lookup = lookup},
    .codegen = {},
};

}  // namespace ring3::maps
