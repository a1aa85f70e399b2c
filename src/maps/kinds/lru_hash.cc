// LRU hash and its per-CPU form: a full map makes room by itself (eviction_clock.h). Never allocates after
// creation. Lookups by programs count as use, lookups by clients do not, as in Linux.
//
// BPF_F_NO_COMMON_LRU is taken and means nothing here: in Linux it gives each CPU a share of the elements and lists of its own,
// which is for writers that would else wait for each other. Here they do not, and each may use all elements.
#include "base/try.h"
#include "maps/kinds/hash_values.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

Result<void> check_plain(const MapSpec& spec) { return check_hash_attr(spec, true, false); }
Result<void> check_percpu(const MapSpec& spec) { return check_hash_attr(spec, true, true); }

Result<Ref<Map>> create_plain(const MapSpec& spec, MapHost& host) {
  return HashMap::make(lru_hash_ops, spec, host, plain_values, true);
}

Result<Ref<Map>> create_percpu(const MapSpec& spec, MapHost& host) {
  return HashMap::make(lru_percpu_hash_ops, spec, host, percpu_values, true);
}

long update(Map& m, const void* key, const void* value, std::uint64_t flags) noexcept {
  if (flags > uapi::BPF_EXIST) return to_syscall(Errno::kInval);
  Reclaimed out;
  return as_hash(m).put(key, value, flags, plain_values.in_place(as_hash(m)), write_plain, out);
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource&) {
  const long code = update(m, key.data(), value.data(), flags);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

void* lookup(Map& m, const void* key) noexcept {
  Element* e = as_hash(m).use(key);
  return e ? as_hash(m).layout().value(e) : nullptr;
}

void* lookup_copy(Map& m, const void* key, std::uint32_t cpu) noexcept {
  HashMap& map = as_hash(m);
  if (cpu >= map.layout().cpus) return nullptr;
  Element* e = map.use(key);
  return e ? map.layout().cpu_copy(e, cpu, map.cpu_stride()) : nullptr;
}

void* lookup_this_cpu(Map& m, const void* key) noexcept { return lookup_copy(m, key, m.host().current_cpu()); }

std::uint64_t lookup_directly(std::uint64_t map, std::uint64_t key, std::uint64_t, std::uint64_t, std::uint64_t, exec::RunContext&) {
  return reinterpret_cast<std::uintptr_t>(lookup(*reinterpret_cast<Map*>(map), reinterpret_cast<const void*>(key)));
}

std::uint64_t lookup_copy_directly(std::uint64_t map, std::uint64_t key, std::uint64_t cpu, std::uint64_t, std::uint64_t, exec::RunContext&) {
  return reinterpret_cast<std::uintptr_t>(
      lookup_copy(*reinterpret_cast<Map*>(map), reinterpret_cast<const void*>(key), static_cast<std::uint32_t>(cpu)));
}

void inline_lookup(const Map&, InlineCode& out) { out.call(lookup_directly); }

void inline_lookup_copy(const Map&, InlineCode& out) {
  out.current_cpu();
  out.by_register(isa::Op::kMov, 3, 0);
  out.call(lookup_copy_directly);
}

}  // namespace

const MapOps lru_hash_ops = {
    .type = uapi::BPF_MAP_TYPE_LRU_HASH,
    .name = "lru_hash",
    .control = {.check = check_plain,
                .create = create_plain,
                .lookup = plain_lookup,
                .update = control_update,
                .erase = hash_erase,
                .lookup_and_erase = hash_take,
                .next_key = hash_next_key,
                .batch = BatchForms::kTaking,
                .batch_part = hash_part,
                .memory_bytes = hash_memory_bytes,
                .element_count = hash_element_count,
                .printable = true},
    .data = {.lookup = lookup,
             .key_of = hash_key_of,
             .update = update,
             .erase = hash_program_erase,
             .for_each = hash_for_each},
    .codegen = {.lookup = inline_lookup},
};

const MapOps lru_percpu_hash_ops = {
    .type = uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH,
    .name = "lru_percpu_hash",
    .control = {.check = check_percpu,
                .create = create_percpu,
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
    .data = {.lookup = lookup_this_cpu,
             .lookup_percpu = lookup_copy,
             .update = percpu_program_update,
             .erase = hash_program_erase,
             .for_each = hash_for_each},
    .codegen = {.lookup = inline_lookup_copy},
};

}  // namespace ring3::maps
