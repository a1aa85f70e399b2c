// Perf event array: event buffers by number, as a rule one per CPU slot. A client puts in descriptors of buffers.
// Buffers that clients put in leave with the last user reference, unless BPF_F_PRESERVE_ELEMS says otherwise.
#include "maps/event_buffer.h"
#include "maps/kinds/fd_array.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

Result<void> check(const MapSpec& spec) { return check_fd_array(spec, uapi::BPF_F_PRESERVE_ELEMS); }

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) { return FdArray::make(perf_event_array_ops, spec, host); }

Result<Ref<Object>> resolve(Map&, std::span<const std::byte> value, FdSource& fds) {
  Result<Ref<Object>> buffer = fds.object(fd_of(value), ObjectKind::kEvents);
  // Any other file is no perf event to Linux, and then none that is open.
  if (!buffer.ok() && buffer.error() == Errno::kInval) return Errno::kBadF;
  return buffer;
}

void last_user_ref(Map& m) noexcept {
  if (!m.has_flag(uapi::BPF_F_PRESERVE_ELEMS)) as_fd_array(m).slots.clear();
}

}  // namespace

long event_output(Map& map, std::uint64_t flags, std::span<const std::byte> data,
                  std::span<const std::byte> more, std::span<const std::byte> rest) noexcept {
  if (flags & ~std::uint64_t{uapi::BPF_F_INDEX_MASK}) return to_syscall(Errno::kInval);
  auto index = static_cast<std::uint32_t>(flags);
  if (flags == uapi::BPF_F_CURRENT_CPU) index = map.host().current_cpu();
  if (index >= map.max_entries()) return to_syscall(Errno::kTooBig);
  Object* buffer = as_fd_array(map).slots.get(index);
  return buffer ? static_cast<EventBuffer*>(buffer)->output(data, more, rest) : to_syscall(Errno::kNoEnt);
}

const MapOps perf_event_array_ops = {
    .type = uapi::BPF_MAP_TYPE_PERF_EVENT_ARRAY,
    .name = "perf_event_array",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .update = fd_array_update<resolve>,
                .erase = fd_array_erase,
                .next_key = array_next_key,
                .memory_bytes = fd_array_bytes,
                .last_user_ref = last_user_ref,
                .missing = Errno::kNotSupp},
    .data = {},
    .codegen = {},
};

}  // namespace ring3::maps
