// Hash of maps: the value area of an element holds one reference to the inner map.
#include <cstring>

#include "base/try.h"
#include "maps/kinds/hash_values.h"
#include "maps/kinds/inner_map.h"
#include "maps/kinds/kinds.h"
#include "maps/map_check.h"

namespace ring3::maps {
namespace {

std::atomic<Map*>& inner_slot(const HashMap& map, Element* e) {
  return *reinterpret_cast<std::atomic<Map*>*>(map.layout().value(e));
}

ElementLayout layout(const MapSpec& spec, const MapHost&) {
  return {.key_bytes = padded_key(spec), .value_bytes = sizeof(Map*)};
}

void read_id(const HashMap& map, Element* e, std::byte* out) {
  const std::uint32_t id = inner_slot(map, e).load(std::memory_order_acquire)->id();
  std::memcpy(out, &id, sizeof id);
}

void* program_value(const HashMap& map, Element* e) { return inner_slot(map, e).load(std::memory_order_acquire); }

bool in_place(const HashMap&) { return false; }

// The pointer stays in the free element: a reader that found the element while it was in the table may still
// load it, and the map it names lives until that reader has left.
void released(HashMap& map, Element* e) { inner_slot(map, e).load(std::memory_order_relaxed)->unref(); }

void replaced(HashMap& map, Element* e, Reclaimed&) { released(map, e); }

constexpr HashValues kInnerMaps = {layout, read_id, program_value, in_place, released, replaced};

/// value: Map*, a reference that goes to the element.
void write_inner(HashMap& map, Element* e, const void* value, bool, Reclaimed&) {
  inner_slot(map, e).store(static_cast<Map*>(const_cast<void*>(value)), std::memory_order_release);
}

Result<void> check(const MapSpec& spec) {
  RING3_TRY(check_hash_attr(spec, false, false));
  if (spec.value_size != sizeof(std::uint32_t)) return Errno::kInval;
  return {};
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  RING3_TRY(check_template(spec));
  return HashMap::make(hash_of_maps_ops, with_template_copied(spec), host, kInnerMaps, false);
}

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  return as_hash(m).read(key, value);
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource& fds) {
  Ref<Object> inner = RING3_TRY(resolve_inner(m, value, fds));
  if (flags > uapi::BPF_EXIST) return Errno::kInval;
  Reclaimed none;
  const long code = as_hash(m).put(key.data(), static_cast<Map*>(inner.get()), flags, false, write_inner, none);
  if (code != 0) return static_cast<Errno>(-code);
  static_cast<void>(inner.release());  // the element's now
  return {};
}

void* lookup(Map& m, const void* key) noexcept {
  Element* e = as_hash(m).find(key);
  return e ? program_value(as_hash(m), e) : nullptr;
}

}  // namespace

const MapOps hash_of_maps_ops = {
    .type = uapi::BPF_MAP_TYPE_HASH_OF_MAPS,
    .name = "hash_of_maps",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = hash_erase,
                .next_key = hash_next_key,
                .batch = BatchForms::kTaking,
                .batch_part = hash_part,
                .memory_bytes = hash_memory_bytes,
                .element_count = hash_element_count,
                .missing = Errno::kNotSupp},
    .data = {.lookup = lookup},
    .codegen = {},
};

}  // namespace ring3::maps
