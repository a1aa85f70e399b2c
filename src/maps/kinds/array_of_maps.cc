// Array of maps: a program's lookup gives the inner map, a client's gives its id.
#include "maps/kinds/fd_array.h"
#include "maps/kinds/inner_map.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

Result<void> check(const MapSpec& spec) { return check_fd_array(spec, 0); }

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  RING3_TRY(check_template(spec));
  return FdArray::make(array_of_maps_ops, with_template_copied(spec), host);
}

void* lookup(Map& m, const void* key) noexcept {
  return static_cast<Map*>(as_fd_array(m).slots.get(array_index(key)));
}

}  // namespace

const MapOps array_of_maps_ops = {
    .type = uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS,
    .name = "array_of_maps",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = fd_array_lookup,
                .update = fd_array_update<resolve_inner>,
                .erase = fd_array_erase,
                .next_key = array_next_key,
                .batch = BatchForms::kFixed,
                .memory_bytes = fd_array_bytes,
                .missing = Errno::kNotSupp},
    .data = {.lookup = lookup},
    .codegen = {},
};

}  // namespace ring3::maps
