#include "maps/map.h"

#include "base/check.h"
#include "base/try.h"
#include "maps/map_memory.h"

namespace ring3::maps {

Map::Map(const MapOps& ops, const MapSpec& spec, MapHost& host)
    : Object(ObjectKind::kMap, host.objects(), spec.birth),
      ops_(ops),
      spec_(spec),
      host_(host),
      shape_(spec.value_size, spec.fields),
      owners_(FieldOwners::make(spec.fields, host)) {}

Map::~Map() = default;

void Map::last_user_ref() noexcept {
  if (ops_.control.last_user_ref) ops_.control.last_user_ref(*this);
}

std::size_t Map::value_bytes() const {
  return ops_.control.value_bytes ? ops_.control.value_bytes(*this) : spec_.value_size;
}

std::uint64_t Map::memory_bytes() const {
  return ops_.control.memory_bytes ? ops_.control.memory_bytes(*this) : sizeof(Map);
}

Result<void> Map::freeze_memory() { return seal_writes(memory_fd_); }

Result<void> Map::freeze() {
  if (!can_freeze()) return Errno::kNotSupp;
  std::uint32_t idle = 0;
  if (!client_state_.compare_exchange_strong(idle, kFrozen, std::memory_order_acq_rel)) return Errno::kBusy;
  if (auto sealed = freeze_memory(); !sealed) {
    client_state_.store(0, std::memory_order_release);
    return sealed.error();
  }
  return {};
}

Result<void> Map::begin_client_write() {
  std::uint32_t seen = client_state_.load(std::memory_order_relaxed);
  do {
    if (seen & kFrozen) return Errno::kPerm;
  } while (!client_state_.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel));
  return {};
}

void Map::end_client_write() noexcept {
  const std::uint32_t was = client_state_.fetch_sub(1, std::memory_order_release);
  RING3_CHECK(was != 0 && (was & kFrozen) == 0, "client write ended twice");
}

}  // namespace ring3::maps
