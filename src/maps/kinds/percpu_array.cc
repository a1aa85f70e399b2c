// Per-CPU array: one block per CPU slot, a cache line apart, so that CPUs never share a line. A program
// sees the block of the slot it runs on; clients read and write all of them.
#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/array_index.h"
#include "maps/kinds/kinds.h"
#include "maps/map_memory.h"

namespace ring3::maps {
namespace {

class PerCpuArrayMap final : public Map {
 public:
  PerCpuArrayMap(const MapSpec& spec, MapHost& host, MapMemory memory, std::uint64_t cpu_bytes)
      : Map(percpu_array_ops, spec, host),
        memory_(std::move(memory)),
        cpu_bytes_(cpu_bytes),
        cpus_(host.possible_cpus()),
        stride_(static_cast<std::uint32_t>(round_up(spec.value_size, 8))) {}

  std::byte* slot(std::uint32_t index, std::uint32_t cpu) const {
    return memory_.data() + cpu * cpu_bytes_ + std::size_t{index} * stride_;
  }
  std::uint32_t cpus() const { return cpus_; }
  std::uint32_t stride() const { return stride_; }
  std::uint64_t cpu_bytes() const { return cpu_bytes_; }
  std::uint64_t bytes() const { return memory_.bytes(); }

 private:
  ~PerCpuArrayMap() override {
    for (std::uint32_t i = 0; owns_objects() && i < max_entries(); ++i)
      for (std::uint32_t cpu = 0; cpu < cpus_; ++cpu) release_fields(slot(i, cpu));
  }

  MapMemory memory_;
  const std::uint64_t cpu_bytes_;
  const std::uint32_t cpus_;
  const std::uint32_t stride_;
};

PerCpuArrayMap& as_array(Map& map) { return static_cast<PerCpuArrayMap&>(map); }
const PerCpuArrayMap& as_array(const Map& map) { return static_cast<const PerCpuArrayMap&>(map); }

Result<void> check(const MapSpec& spec) {
  // A NUMA node makes no sense where every CPU has its own copy.
  RING3_TRY(check_array_attr(spec, kAccessFlags));
  if (round_up(spec.value_size, 8) > kMaxPerCpuValue) return Errno::kTooBig;
  return {};
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  constexpr std::uint64_t kCacheLine = 64;
  const std::uint64_t cpu_bytes = round_up(round_up(spec.value_size, 8) * spec.max_entries, kCacheLine);
  MapMemory memory = RING3_TRY(MapMemory::zeroed(cpu_bytes * host.possible_cpus()));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new PerCpuArrayMap(spec, host, std::move(memory), cpu_bytes));
}

// Client side.

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  PerCpuArrayMap& map = as_array(m);
  const std::uint32_t index = array_index(key.data());
  if (index >= map.max_entries()) return Errno::kNoEnt;
  for (std::uint32_t cpu = 0; cpu < map.cpus(); ++cpu) {
    std::byte* to = value.data() + std::size_t{cpu} * map.stride();
    std::memset(to + map.value_size(), 0, map.stride() - map.value_size());
    map.shape().read(to, map.slot(index, cpu));
  }
  return {};
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource&) {
  PerCpuArrayMap& map = as_array(m);
  const std::uint32_t index = array_index(key.data());
  RING3_TRY(check_array_update(map, index, flags, 0));
  for (std::uint32_t cpu = 0; cpu < map.cpus(); ++cpu) {
    map.shape().write(map.slot(index, cpu), value.data() + std::size_t{cpu} * map.stride());
    map.release_fields(map.slot(index, cpu));
  }
  return {};
}

Result<void> control_erase(Map&, std::span<const std::byte>) { return Errno::kInval; }

std::size_t value_bytes(const Map& m) { return std::size_t{as_array(m).stride()} * as_array(m).cpus(); }
std::uint64_t memory_bytes(const Map& m) { return sizeof(PerCpuArrayMap) + as_array(m).bytes(); }

// Program side.

void* lookup_percpu(Map& m, const void* key, std::uint32_t cpu) noexcept {
  PerCpuArrayMap& map = as_array(m);
  const std::uint32_t index = array_index(key);
  return index < map.max_entries() && cpu < map.cpus() ? map.slot(bounded_index(index, map.max_entries()), cpu) : nullptr;
}

void* lookup(Map& m, const void* key) noexcept { return lookup_percpu(m, key, m.host().current_cpu()); }

long update(Map& m, const void* key, const void* value, std::uint64_t flags) noexcept {
  PerCpuArrayMap& map = as_array(m);
  const std::uint32_t index = array_index(key);
  if (auto ok = check_array_update(map, index, flags, 0); !ok) return to_syscall(ok.error());
  std::byte* mine = map.slot(index, m.host().current_cpu());
  map.shape().write(mine, value);
  map.release_fields(mine);
  return 0;
}

long erase(Map&, const void*) noexcept { return to_syscall(Errno::kInval); }

long for_each(Map& m, std::uint64_t (*fn)(const void*, void*, void*), void* data, std::uint64_t flags) noexcept {
  if (flags != 0) return to_syscall(Errno::kInval);
  PerCpuArrayMap& map = as_array(m);
  const std::uint32_t cpu = m.host().current_cpu();
  long visited = 0;
  for (std::uint32_t i = 0; i < map.max_entries(); ++i) {
    const std::uint32_t key = i;
    ++visited;
    if (fn(&key, map.slot(i, cpu), data) != 0) break;
  }
  return visited;
}

void inline_lookup(const Map& m, InlineCode& out) {
  const PerCpuArrayMap& map = as_array(m);
  if (map.cpu_bytes() > INT32_MAX) return;  // no immediate
  append_bounded_index(map, out);
  const std::size_t done = out.insns.size() - 1;
  out.current_cpu();
  out.by_constant(isa::Op::kMul, 0, static_cast<std::int64_t>(map.cpu_bytes()));
  out.by_constant(isa::Op::kMul, 1, map.stride());
  out.by_register(isa::Op::kAdd, 0, 1);
  out.address(1, map.slot(0, 0));
  out.by_register(isa::Op::kAdd, 0, 1);
  out.lands_here(done);
}

}  // namespace

const MapOps percpu_array_ops = {
    .type = uapi::BPF_MAP_TYPE_PERCPU_ARRAY,
    .name = "percpu_array",
    .control = {.check = check,
                .check_btf = check_array_btf,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = control_erase,
                .next_key = array_next_key,
                .batch = BatchForms::kFixed,
                .value_bytes = value_bytes,
                .memory_bytes = memory_bytes,
                .printable = true},
    .data = {.lookup = lookup, .lookup_percpu = lookup_percpu, .update = update, .erase = erase, .for_each = for_each},
    .codegen = {.lookup = inline_lookup},
};

}  // namespace ring3::maps
