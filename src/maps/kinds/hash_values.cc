#include "maps/kinds/hash_values.h"

#include <bit>
#include <cstring>

#include "object/rcu.h"

namespace ring3::maps {
namespace {

ElementLayout plain_layout(const MapSpec& spec, const MapHost&) {
  return {.key_bytes = padded_key(spec), .value_bytes = static_cast<std::uint32_t>(round_up(spec.value_size, 8))};
}

void plain_read(const HashMap& map, Element* e, std::byte* out) { map.shape().read(out, map.layout().value(e)); }

void* plain_program_value(const HashMap& map, Element* e) { return map.layout().value(e); }

// A value with a lock keeps it through an update, so it stays where it is; one that owns something goes as a whole.
// One aligned word is stored as a whole too, where it is.
bool plain_in_place(const HashMap& map) {
  if (map.owns_objects()) return false;
  return map.shape().has_fields() || (map.value_size() <= 8 && std::has_single_bit(map.value_size()));
}

void plain_released(HashMap& map, Element* e) { map.release_fields(map.layout().value(e)); }

void plain_replaced(HashMap& map, Element* e, Reclaimed& out) { map.take_out_fields(map.layout().value(e), out); }

ElementLayout percpu_layout(const MapSpec& spec, const MapHost& host) {
  return {.key_bytes = padded_key(spec),
          .value_bytes = sizeof(std::byte*),
          .cpus = host.possible_cpus(),
          .cpu_value = static_cast<std::uint32_t>(round_up(spec.value_size, 8))};
}

std::byte* copy_of(const HashMap& map, Element* e, std::uint32_t cpu) {
  return map.layout().cpu_copy(e, cpu, map.cpu_stride());
}

void percpu_read(const HashMap& map, Element* e, std::byte* out) {
  const ElementLayout& layout = map.layout();
  for (std::uint32_t cpu = 0; cpu < layout.cpus; ++cpu, out += layout.cpu_value) {
    map.shape().read(out, copy_of(map, e, cpu));
    std::memset(out + map.value_size(), 0, layout.cpu_value - map.value_size());
  }
}

void* percpu_program_value(const HashMap& map, Element* e) { return copy_of(map, e, map.host().current_cpu()); }

bool percpu_in_place(const HashMap&) { return true; }

void percpu_released(HashMap& map, Element* e) {
  for (std::uint32_t cpu = 0; map.owns_objects() && cpu < map.layout().cpus; ++cpu)
    map.release_fields(copy_of(map, e, cpu));
}

// Never: copies are changed in place.
void percpu_replaced(HashMap&, Element*, Reclaimed&) {}

}  // namespace

const HashValues plain_values = {plain_layout,   plain_read,     plain_program_value, plain_in_place,
                                 plain_released, plain_replaced, nullptr,             true};
const HashValues percpu_values = {percpu_layout,   percpu_read,     percpu_program_value, percpu_in_place,
                                  percpu_released, percpu_replaced, nullptr,              true};

std::uint32_t padded_key(const MapSpec& spec) { return static_cast<std::uint32_t>(round_up(spec.key_size, 8)); }

void write_plain(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out) {
  map.shape().write(map.layout().value(e), value);
  if (!fresh) map.take_out_fields(map.layout().value(e), out);
}

void write_plain_locked(HashMap& map, Element* e, const void* value, bool, Reclaimed&) {
  map.shape().write_locked(map.layout().value(e), value);
}

void write_this_cpu(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out) {
  const std::uint32_t mine = map.host().current_cpu();
  for (std::uint32_t cpu = 0; fresh && cpu < map.layout().cpus; ++cpu)
    if (cpu != mine) map.shape().clear(copy_of(map, e, cpu));
  map.shape().write(copy_of(map, e, mine), value);
  if (!fresh) map.take_out_fields(copy_of(map, e, mine), out);
}

void write_all_cpus(HashMap& map, Element* e, const void* value, bool fresh, Reclaimed& out) {
  const auto* from = static_cast<const std::byte*>(value);
  for (std::uint32_t cpu = 0; cpu < map.layout().cpus; ++cpu, from += map.layout().cpu_value) {
    map.shape().write(copy_of(map, e, cpu), from);
    if (!fresh) map.take_out_fields(copy_of(map, e, cpu), out);
  }
}

std::size_t percpu_value_bytes(const Map& map) {
  return std::size_t{as_hash(map).layout().cpu_value} * as_hash(map).layout().cpus;
}

Result<void> plain_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags) {
  if (flags & uapi::BPF_F_LOCK) return as_hash(m).read_locked(key, value);
  return as_hash(m).read(key, value);
}

Result<void> percpu_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  return as_hash(m).read(key, value);
}

Result<void> percpu_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                           std::uint64_t flags, FdSource&) {
  if (flags > uapi::BPF_EXIST) return Errno::kInval;
  Reclaimed out;
  if (m.owns_objects()) out.reserve(as_hash(m).layout().cpus);
  const long code = as_hash(m).put(key.data(), value.data(), flags, true, write_all_cpus, out);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

long percpu_program_update(Map& m, const void* key, const void* value, std::uint64_t flags) noexcept {
  if (flags > uapi::BPF_EXIST) return to_syscall(Errno::kInval);
  Reclaimed out;
  return as_hash(m).put(key, value, flags, true, write_this_cpu, out);
}

}  // namespace ring3::maps
