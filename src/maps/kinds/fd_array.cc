#include "maps/kinds/fd_array.h"

#include "base/fault_point.h"
#include "object/rcu.h"

namespace ring3::maps {

Result<Ref<Map>> FdArray::make(const MapOps& ops, const MapSpec& spec, MapHost& host) {
  ObjectSlots slots = RING3_TRY(ObjectSlots::make(spec.max_entries));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>(Ref<FdArray>::adopt(new FdArray(ops, spec, host, std::move(slots))));
}

Result<void> check_fd_array(const MapSpec& spec, std::uint32_t more_flags) {
  RING3_TRY(check_array_attr(spec, uapi::BPF_F_NUMA_NODE | kAccessFlags | more_flags));
  if (spec.value_size != sizeof(std::uint32_t)) return Errno::kInval;
  if (spec.flags & (uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG)) return Errno::kInval;
  return {};
}

Result<void> fd_array_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  rcu::ReadSection section;
  Object* held = as_fd_array(m).slots.get(array_index(key.data()));
  if (!held) return Errno::kNoEnt;
  const std::uint32_t id = held->id();
  std::memcpy(value.data(), &id, sizeof id);
  return {};
}

Result<void> fd_array_erase(Map& m, std::span<const std::byte> key) {
  const std::uint32_t index = array_index(key.data());
  if (index >= m.max_entries()) return Errno::kTooBig;
  Ref<Object> held = as_fd_array(m).slots.exchange(index, nullptr);
  if (!held) return Errno::kNoEnt;
  let_go(m, std::move(held));
  return {};
}

void FdArray::let_all_go() noexcept {
  for (std::uint32_t i = 0; i < slots.count(); ++i) let_go(*this, slots.exchange(i, nullptr));
}

std::uint64_t fd_array_bytes(const Map& m) { return sizeof(FdArray) + static_cast<const FdArray&>(m).slots.bytes(); }

}  // namespace ring3::maps
