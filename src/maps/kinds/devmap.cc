// Device maps, by slot and by key: devices of the host that packets may be sent to. A value is an interface number,
// in its wide form also a program that runs on the way out, which no host runs.
//
// Slots are words: a reader sees the old value or the new one. Programs read values through the pointer a lookup
// gives, never write them: the map is read-only to programs, whatever its creator asked.
#include <atomic>
#include <memory>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/hash_values.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/target_maps.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kFlags = uapi::BPF_F_NUMA_NODE | uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY;

struct DeviceValue {
  std::uint32_t ifindex = 0;
  std::int32_t prog_fd = 0;
};

DeviceValue value_of(std::span<const std::byte> bytes) {
  DeviceValue value;
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

/// As stored: no program.
std::uint64_t word_of(std::uint32_t ifindex) {
  const std::uint32_t halves[2] = {ifindex, 0};
  std::uint64_t word;
  std::memcpy(&word, halves, sizeof word);
  return word;
}

Result<void> check(const MapSpec& spec) { return check_target_array(spec, kFlags, is_target_value(spec)); }

MapSpec read_only_to_programs(MapSpec spec) {
  spec.flags |= uapi::BPF_F_RDONLY_PROG;
  return spec;
}

/// Errors: kInval the host has no such device, or a program is named.
Result<void> check_device(const Map& map, const DeviceValue& value) {
  if (!map.host().has_device(value.ifindex)) return Errno::kInval;
  return value.prog_fd > 0 ? Result<void>(Errno::kInval) : Result<void>();
}

class DeviceArray final : public Map {
 public:
  using Slot = std::atomic<std::uint64_t>;
  DeviceArray(const MapSpec& spec, MapHost& host, std::unique_ptr<Slot[]> made)
      : Map(devmap_ops, spec, host), slots(std::move(made)) {}
  Slot* at(const void* key) noexcept {
    const std::uint32_t index = array_index(key);
    return index < max_entries() ? &slots[bounded_index(index, max_entries())] : nullptr;
  }

  const std::unique_ptr<Slot[]> slots;
};

DeviceArray& as_devices(Map& map) { return static_cast<DeviceArray&>(map); }

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  if (fault_point()) return Errno::kNoMem;
  std::unique_ptr<DeviceArray::Slot[]> slots(new (std::nothrow) DeviceArray::Slot[spec.max_entries]());
  if (!slots) return Errno::kNoMem;
  return Ref<Map>::adopt(new DeviceArray(read_only_to_programs(spec), host, std::move(slots)));
}

void* lookup(Map& m, const void* key) noexcept {
  DeviceArray::Slot* slot = as_devices(m).at(key);
  return slot != nullptr && slot->load(std::memory_order_acquire) != 0 ? slot : nullptr;
}

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  DeviceArray::Slot* slot = as_devices(m).at(key.data());
  const std::uint64_t word = slot != nullptr ? slot->load(std::memory_order_acquire) : 0;
  if (word == 0) return Errno::kNoEnt;
  std::memcpy(value.data(), &word, value.size());
  return {};
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> bytes,
                            std::uint64_t flags, FdSource&) {
  if (flags > uapi::BPF_EXIST) return Errno::kInval;
  DeviceArray::Slot* slot = as_devices(m).at(key.data());
  if (slot == nullptr) return Errno::kTooBig;
  if (flags == uapi::BPF_NOEXIST) return Errno::kExist;
  const DeviceValue value = value_of(bytes);
  if (value.ifindex != 0) RING3_TRY(check_device(m, value));
  else if (value.prog_fd > 0) return Errno::kInval;
  slot->store(word_of(value.ifindex), std::memory_order_release);
  return {};
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  DeviceArray::Slot* slot = as_devices(m).at(key.data());
  if (slot == nullptr) return Errno::kInval;
  slot->store(0, std::memory_order_release);
  return {};
}

std::uint64_t devices_bytes(const Map& m) { return sizeof(DeviceArray) + std::uint64_t{m.max_entries()} * 8; }

Result<Ref<Map>> create_hash(const MapSpec& spec, MapHost& host) {
  return HashMap::make(devmap_hash_ops, read_only_to_programs(spec), host, plain_values, false);
}

void* lookup_hash(Map& m, const void* key) noexcept {
  Element* e = as_hash(m).find(key);
  return e != nullptr ? as_hash(m).layout().value(e) : nullptr;
}

Result<void> update_hash(Map& m, std::span<const std::byte> key, std::span<const std::byte> bytes, std::uint64_t flags,
                         FdSource&) {
  const DeviceValue value = value_of(bytes);
  if (flags > uapi::BPF_EXIST || value.ifindex == 0) return Errno::kInval;
  if (flags == uapi::BPF_NOEXIST) {
    rcu::ReadSection section;
    if (as_hash(m).find(key.data()) != nullptr) return Errno::kExist;
  }
  RING3_TRY(check_device(m, value));
  const std::uint64_t stored = word_of(value.ifindex);
  Reclaimed out;
  const std::uint64_t insert = flags & uapi::BPF_NOEXIST;  // BPF_EXIST means nothing here
  const long code = as_hash(m).put(key.data(), &stored, insert, plain_values.in_place(as_hash(m)), write_plain, out);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

}  // namespace

const MapOps devmap_ops = {
    .type = uapi::BPF_MAP_TYPE_DEVMAP,
    .name = "devmap",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = control_erase,
                .next_key = array_next_key,
                .memory_bytes = devices_bytes},
    .data = {.lookup = lookup},
    .codegen = {},
};

const MapOps devmap_hash_ops = {
    .type = uapi::BPF_MAP_TYPE_DEVMAP_HASH,
    .name = "devmap_hash",
    .control = {.check = check,
                .check_btf = refuse_btf,
                .create = create_hash,
                .lookup = plain_lookup,
                .update = update_hash,
                .erase = hash_erase,
                .next_key = hash_next_key,
                .memory_bytes = hash_memory_bytes},
    .data = {.lookup = lookup_hash},
    .codegen = {},
};

}  // namespace ring3::maps
