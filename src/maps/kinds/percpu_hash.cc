// Per-CPU hash: one copy of each value per CPU slot. Updates change copies in place; an element's copies stay
// with it for life.
#include "maps/kinds/hash_values.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

Result<void> check(const MapSpec& spec) { return check_hash_attr(spec, false, true); }

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  return HashMap::make(percpu_hash_ops, spec, host, percpu_values, false);
}

void* lookup_percpu(Map& m, const void* key, std::uint32_t cpu) noexcept {
  HashMap& map = as_hash(m);
  if (cpu >= map.layout().cpus) return nullptr;
  Element* e = map.find(key);
  return e ? map.layout().cpu_copy(e, cpu, map.cpu_stride()) : nullptr;
}

void* lookup(Map& m, const void* key) noexcept { return lookup_percpu(m, key, m.host().current_cpu()); }

std::uint64_t lookup_copy(std::uint64_t map, std::uint64_t key, std::uint64_t cpu, std::uint64_t, std::uint64_t, exec::RunContext&) {
  return reinterpret_cast<std::uintptr_t>(
      lookup_percpu(*reinterpret_cast<Map*>(map), reinterpret_cast<const void*>(key), static_cast<std::uint32_t>(cpu)));
}

void inline_lookup(const Map&, InlineCode& out) {
  out.current_cpu();
  out.by_register(isa::Op::kMov, 3, 0);
  out.call(lookup_copy);
}

}  // namespace

const MapOps percpu_hash_ops = {
    .type = uapi::BPF_MAP_TYPE_PERCPU_HASH,
    .name = "percpu_hash",
    .control = {.check = check,
                .create = create,
                .lookup = percpu_lookup,
                .update = percpu_update,
                .erase = hash_erase,
                .lookup_and_erase = hash_take,
                .next_key = hash_next_key,
                .batch = BatchForms::kTaking,
                .batch_part = hash_part,
                .value_bytes = percpu_value_bytes,
                .memory_bytes = hash_memory_bytes,
                .element_count = hash_element_count,
                .printable = true},
    .data = {.lookup = lookup,
             .lookup_percpu = lookup_percpu,
             .update = percpu_program_update,
             .erase = hash_program_erase,
             .for_each = hash_for_each},
    .codegen = {.lookup = inline_lookup},
};

}  // namespace ring3::maps
