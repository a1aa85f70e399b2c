// Array: all slots in one block, addresses never change, no locks. Writes are seen word by word; a value
// with a lock can be written whole under it.
//
// Global data (.data, .bss, .rodata) is a one-slot array whose memory clients map.
#include <climits>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/kinds.h"
#include "maps/map_memory.h"

namespace ring3::maps {
namespace {

class ArrayMap final : public Map {
 public:
  ArrayMap(const MapSpec& spec, MapHost& host, MapMemory memory)
      : Map(array_ops, spec, host),
        memory_(std::move(memory)),
        data_(memory_.data()),
        stride_(static_cast<std::uint32_t>(round_up(spec.value_size, 8))) {
    memory_fd_ = memory_.fd();
    if (memory_fd_ >= 0) mappable_bytes_ = memory_.bytes();
    host_view_ = {memory_.data(), memory_.bytes()};
  }

  std::byte* slot(std::uint32_t index) const { return data_ + std::size_t{index} * stride_; }
  std::uint32_t stride() const { return stride_; }
  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  ~ArrayMap() override {
    for (std::uint32_t i = 0; owns_objects() && i < max_entries(); ++i) release_fields(slot(i));
  }

  Result<void> freeze_memory() override {
    RING3_TRY(memory_.seal_writes());
    // What programs may not write either is now written by nobody.
    if (has_flag(uapi::BPF_F_RDONLY_PROG)) return memory_.protect();
    return {};
  }

  MapMemory memory_;
  std::byte* const data_;
  const std::uint32_t stride_;
};

ArrayMap& as_array(Map& map) { return static_cast<ArrayMap&>(map); }
const ArrayMap& as_array(const Map& map) { return static_cast<const ArrayMap&>(map); }

Result<void> check(const MapSpec& spec) {
  return check_array_attr(
      spec, uapi::BPF_F_NUMA_NODE | uapi::BPF_F_MMAPABLE | uapi::BPF_F_INNER_MAP | kAccessFlags);
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  const std::uint64_t bytes = round_up(spec.value_size, 8) * spec.max_entries;
  // Who maps a special field could forge what it holds: there is nothing to map then (behaviour.md C.4.3).
  const bool shared = (spec.flags & uapi::BPF_F_MMAPABLE) != 0 && spec.fields.empty();
  const bool read_only = (spec.flags & uapi::BPF_F_RDONLY_PROG) != 0;  // protected when it is frozen
  MapMemory memory = RING3_TRY(shared ? MapMemory::shared(bytes) : read_only ? MapMemory::pages(bytes) : MapMemory::zeroed(bytes));
  if (read_only) RING3_TRY(memory.seal_writes());
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new ArrayMap(spec, host, std::move(memory)));
}

Result<void> write(ArrayMap& map, const void* key, const void* value, std::uint64_t flags) {
  const std::uint32_t index = array_index(key);
  RING3_TRY(check_array_update(map, index, flags, uapi::BPF_F_LOCK));
  if (flags & uapi::BPF_F_LOCK) {
    if (!map.shape().has_lock()) return Errno::kInval;
    map.shape().write_locked(map.slot(index), value);
  } else {
    map.shape().write(map.slot(index), value);
  }
  map.release_fields(map.slot(index));
  return {};
}

// Client side.

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags) {
  ArrayMap& map = as_array(m);
  const std::uint32_t index = array_index(key.data());
  if (index >= map.max_entries()) return Errno::kNoEnt;
  if (flags & uapi::BPF_F_LOCK)
    map.shape().read_locked(value.data(), map.slot(index));
  else
    map.shape().read(value.data(), map.slot(index));
  return {};
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource&) {
  return write(as_array(m), key.data(), value.data(), flags);
}

Result<void> control_erase(Map&, std::span<const std::byte>) { return Errno::kInval; }

std::uint64_t memory_bytes(const Map& m) { return sizeof(ArrayMap) + as_array(m).bytes(); }

// Program side.

void* lookup(Map& m, const void* key) noexcept {
  ArrayMap& map = as_array(m);
  const std::uint32_t index = array_index(key);
  return index < map.max_entries() ? map.slot(bounded_index(index, map.max_entries())) : nullptr;
}

const void* key_of(const Map& m, const void* value, std::uint32_t& index) noexcept {
  const ArrayMap& map = as_array(m);
  index = static_cast<std::uint32_t>(static_cast<std::size_t>(static_cast<const std::byte*>(value) - map.slot(0)) / map.stride());
  return &index;
}

long update(Map& m, const void* key, const void* value, std::uint64_t flags) noexcept {
  auto done = write(as_array(m), key, value, flags);
  return done.ok() ? 0 : to_syscall(done.error());
}

long erase(Map&, const void*) noexcept { return to_syscall(Errno::kInval); }

long for_each(Map& m, std::uint64_t (*fn)(const void*, void*, void*), void* data, std::uint64_t flags) noexcept {
  if (flags != 0) return to_syscall(Errno::kInval);
  ArrayMap& map = as_array(m);
  long visited = 0;
  for (std::uint32_t i = 0; i < map.max_entries(); ++i) {
    const std::uint32_t key = i;
    ++visited;
    if (fn(&key, map.slot(i), data) != 0) break;
  }
  return visited;
}

// Code.

void inline_lookup(const Map& m, InlineCode& out) {
  const ArrayMap& map = as_array(m);
  append_bounded_index(map, out);
  const std::size_t done = out.insns.size() - 1;
  out.by_constant(isa::Op::kMul, 1, map.stride());
  out.address(0, map.slot(0));
  out.by_register(isa::Op::kAdd, 0, 1);
  out.lands_here(done);
}

Result<std::uint64_t> direct_value(const Map& m, std::uint32_t off) {
  if (m.max_entries() != 1) return Errno::kNotSupp;
  if (off >= m.value_size()) return Errno::kInval;
  return reinterpret_cast<std::uintptr_t>(as_array(m).slot(0)) + off;
}

}  // namespace

const MapOps array_ops = {
    .type = uapi::BPF_MAP_TYPE_ARRAY,
    .name = "array",
    .control = {.check = check,
                .check_btf = check_array_btf,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = control_erase,
                .next_key = array_next_key,
                .batch = BatchForms::kFixed,
                .memory_bytes = memory_bytes,
                .mappable = true,
                .printable = true},
    .data = {.lookup = lookup, .key_of = key_of, .update = update, .erase = erase, .for_each = for_each},
    .codegen = {.lookup = inline_lookup, .direct_value = direct_value},
};

}  // namespace ring3::maps
