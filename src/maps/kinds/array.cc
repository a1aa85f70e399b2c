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
  const bool shared = (spec.flags & uapi::BPF_F_MMAPABLE) != 0;
  MapMemory memory = RING3_TRY(shared ? MapMemory::shared(bytes) : MapMemory::anonymous(bytes));
  if (spec.flags & uapi::BPF_F_RDONLY_PROG) RING3_TRY(memory.seal_writes());
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

using isa::Insn;
using isa::Op;

constexpr Insn alu_imm(Op op, std::uint8_t dst, std::int64_t imm) {
  return {.op = op, .bits = 64, .size = 0, .src_is_reg = false, .dst = dst, .src = 0, .off = 0, .jump = 0, .imm = imm};
}

void inline_lookup(const Map& m, std::vector<Insn>& out) {
  const ArrayMap& map = as_array(m);
  constexpr std::uint8_t r0 = 0, r1 = 1, r2 = 2;
  const auto base = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(map.slot(0)));
  // r0 = *(u32 *)(r2 + 0)
  out.push_back({.op = Op::kLoad, .bits = 64, .size = 4, .src_is_reg = true, .dst = r0, .src = r2, .off = 0, .jump = 0,
                 .imm = 0});
  // if w0 >= max_entries goto none   (32 bits wide: an immediate above INT_MAX must not be sign extended)
  Insn bounds = alu_imm(Op::kJge, r0, static_cast<std::int32_t>(map.max_entries()));
  bounds.bits = 32;
  bounds.jump = 5;
  out.push_back(bounds);
  out.push_back(alu_imm(Op::kMul, r0, map.stride()));
  // r1 = base ll; r0 += r1; goto done
  out.push_back({.op = Op::kLdImm64, .bits = 64, .size = 0, .src_is_reg = false, .dst = r1,
                 .src = static_cast<std::uint8_t>(isa::Pseudo::kImm), .off = 0, .jump = 0, .imm = base});
  out.push_back({.op = Op::kLdImm64Hi, .bits = 64, .size = 0, .src_is_reg = false, .dst = 0, .src = 0, .off = 0,
                 .jump = 0, .imm = 0});
  out.push_back({.op = Op::kAdd, .bits = 64, .size = 0, .src_is_reg = true, .dst = r0, .src = r1, .off = 0, .jump = 0,
                 .imm = 0});
  Insn done = alu_imm(Op::kJa, 0, 0);
  done.jump = 1;
  out.push_back(done);
  // none: r0 = 0
  out.push_back(alu_imm(Op::kMov, r0, 0));
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
                .batch = true,
                .memory_bytes = memory_bytes,
                .mappable = true,
                .printable = true},
    .data = {.lookup = lookup, .update = update, .erase = erase, .for_each = for_each},
    .codegen = {.lookup = inline_lookup, .direct_value = direct_value},
};

}  // namespace ring3::maps
