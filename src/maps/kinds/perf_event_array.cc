// Perf event array: event buffers by number, as a rule one per CPU slot. A client puts in descriptors of buffers.
// Buffers that clients put in leave with the last user reference, unless BPF_F_PRESERVE_ELEMS says otherwise.
#include <cstring>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/event_buffer.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/object_slots.h"

namespace ring3::maps {
namespace {

class EventArrayMap final : public Map {
 public:
  EventArrayMap(const MapSpec& spec, MapHost& host, ObjectSlots&& made)
      : Map(perf_event_array_ops, spec, host), slots(std::move(made)) {}
  ObjectSlots slots;
};

EventArrayMap& as_events(Map& map) { return static_cast<EventArrayMap&>(map); }

Result<void> check(const MapSpec& spec) {
  constexpr std::uint32_t kKnown =
      uapi::BPF_F_NUMA_NODE | uapi::BPF_F_PRESERVE_ELEMS | uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY;
  RING3_TRY(check_array_attr(spec, kKnown));
  return spec.value_size == sizeof(std::uint32_t) ? Result<void>() : Result<void>(Errno::kInval);
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  ObjectSlots slots = RING3_TRY(ObjectSlots::make(spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new EventArrayMap(spec, host, std::move(slots)));
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource& fds) {
  const std::uint32_t index = array_index(key.data());
  if (flags != uapi::BPF_ANY) return Errno::kInval;
  if (index >= m.max_entries()) return Errno::kTooBig;
  std::int32_t fd;
  std::memcpy(&fd, value.data(), sizeof fd);
  as_events(m).slots.exchange(index, RING3_TRY(fds.object(fd, ObjectKind::kEvents)));
  return {};
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  const std::uint32_t index = array_index(key.data());
  if (index >= m.max_entries()) return Errno::kInval;
  return as_events(m).slots.exchange(index, nullptr) ? Result<void>() : Result<void>(Errno::kNoEnt);
}

std::uint64_t memory_bytes(const Map& m) {
  return sizeof(EventArrayMap) + static_cast<const EventArrayMap&>(m).slots.bytes();
}

void last_user_ref(Map& m) noexcept {
  if (!m.has_flag(uapi::BPF_F_PRESERVE_ELEMS)) as_events(m).slots.clear();
}

}  // namespace

long event_output(Map& map, std::uint64_t flags, std::span<const std::byte> data,
                  std::span<const std::byte> more) noexcept {
  if (flags & ~std::uint64_t{uapi::BPF_F_INDEX_MASK}) return to_syscall(Errno::kInval);
  auto index = static_cast<std::uint32_t>(flags);
  if (flags == uapi::BPF_F_CURRENT_CPU) index = map.host().current_cpu();
  if (index >= map.max_entries()) return to_syscall(Errno::kTooBig);
  Object* buffer = as_events(map).slots.get(index);
  return buffer ? static_cast<EventBuffer*>(buffer)->output(data, more) : to_syscall(Errno::kNoEnt);
}

const MapOps perf_event_array_ops = {
    .type = uapi::BPF_MAP_TYPE_PERF_EVENT_ARRAY,
    .name = "perf_event_array",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .update = control_update,
                .erase = control_erase,
                .next_key = array_next_key,
                .memory_bytes = memory_bytes,
                .last_user_ref = last_user_ref,
                .missing = Errno::kNotSupp},
    .data = {},
    .codegen = {},
};

}  // namespace ring3::maps
