#include "maps/kinds/inner_map.h"

#include <cstring>

#include "base/try.h"

namespace ring3::maps {
namespace {

/// The size of an array is built into programs, unless it says that it varies.
bool entries_may_differ(const MapSpec& spec) {
  const bool array = spec.type == uapi::BPF_MAP_TYPE_ARRAY || spec.type == uapi::BPF_MAP_TYPE_PERCPU_ARRAY;
  return !array || (spec.flags & uapi::BPF_F_INNER_MAP) != 0;
}

}  // namespace

Result<void> check_template(const MapSpec& outer) {
  if (!outer.inner) return Errno::kInval;
  if (outer.inner->spec().exclusive_to) return Errno::kNotSupp;
  switch (outer.inner->spec().type) {
    case uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case uapi::BPF_MAP_TYPE_HASH_OF_MAPS: return Errno::kInval;
    case uapi::BPF_MAP_TYPE_PROG_ARRAY:
    case uapi::BPF_MAP_TYPE_STRUCT_OPS:
    case uapi::BPF_MAP_TYPE_CGROUP_STORAGE:
    case uapi::BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: return Errno::kNotSupp;
    default: return {};
  }
}

MapSpec with_template_copied(const MapSpec& outer) {
  MapSpec copy = outer;
  copy.inner_spec = std::make_shared<const MapSpec>(outer.inner->spec());
  copy.inner = nullptr;
  return copy;
}

Result<void> check_inner(const Map& outer, const Map& inner) {
  const MapSpec& want = *outer.spec().inner_spec;
  const MapSpec& got = inner.spec();
  if (got.exclusive_to) return Errno::kNotSupp;
  const bool alike = want.type == got.type && want.key_size == got.key_size && want.value_size == got.value_size &&
                     want.flags == got.flags && model::same_fields(want.fields, got.fields) &&
                     (entries_may_differ(want) || want.max_entries == got.max_entries);
  return alike ? Result<void>() : Errno::kInval;
}

Result<Ref<Object>> resolve_inner(const Map& outer, std::span<const std::byte> value, FdSource& fds) {
  std::int32_t fd;
  std::memcpy(&fd, value.data(), sizeof fd);
  Ref<Object> inner = RING3_TRY(fds.object(fd, ObjectKind::kMap));
  RING3_TRY(check_inner(outer, static_cast<const Map&>(*inner)));
  return inner;
}

}  // namespace ring3::maps
