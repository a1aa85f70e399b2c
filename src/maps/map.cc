#include "maps/map.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/try.h"
#include "maps/map_check.h"
#include "maps/map_memory.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

std::shared_ptr<const FieldOwners> owners_of(const MapSpec& spec, MapHost& host) {
  NullSink log;
  auto owners = FieldOwners::make(spec.fields, host, log);
  RING3_CHECK(owners.ok(), "fields were checked before the map was made");
  return std::move(owners).value();
}

}  // namespace

Map::Map(const MapOps& ops, const MapSpec& spec, MapHost& host)
    : Object(ObjectKind::kMap, host.objects(), spec.birth),
      ops_(ops),
      spec_(spec),
      host_(host),
      shape_(spec.value_size, spec.fields),
      owners_(owners_of(spec, host)) {}

Map::~Map() { host_.memory().give_back(charged_); }

Result<void> Map::charge(TextSink& log) {
  const std::uint64_t bytes = memory_bytes();
  if (!host_.memory().charge(bytes)) return refuse_memory(host_.memory(), spec_, ops_.name, bytes, log);
  charged_ = bytes;
  return {};
}

void Map::last_user_ref() noexcept {
  // Timers and work items hold programs, which may hold this map: the ring ends here, and make() looks at the count.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (owners_ && owners_->has_deferred()) cancel_deferred();
  if (ops_.control.last_user_ref) ops_.control.last_user_ref(*this);
}

void Map::cancel_deferred() noexcept {
  rcu::ReadSection readers;
  const auto cancel = [](const void*, void* value, void* owners) -> std::uint64_t {
    static_cast<const FieldOwners*>(owners)->cancel_deferred(static_cast<std::byte*>(value));
    return 0;
  };
  ops_.data.for_each(*this, cancel, const_cast<FieldOwners*>(owners_.get()), 0);
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
