#include "maps/client_access.h"

#include "base/try.h"

namespace ring3::maps {
namespace {

bool key_fits(const Map& map, std::span<const std::byte> key) { return key.size() == map.key_size(); }

/// BPF_F_LOCK needs a lock to take.
Result<void> check_lock_flag(const Map& map, std::uint64_t flags) {
  if ((flags & uapi::BPF_F_LOCK) && !map.shape().has_lock()) return Errno::kInval;
  return {};
}

}  // namespace

Result<void> check_batch_flags(const Map& map, std::uint64_t flags) {
  if (flags & ~std::uint64_t{uapi::BPF_F_LOCK}) return Errno::kInval;
  return check_lock_flag(map, flags);
}

Result<void> lookup_elem(Map& map, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t flags) {
  RING3_TRY(check_batch_flags(map, flags));
  if (!map.ops().control.lookup) return map.ops().control.missing;
  if (!key_fits(map, key) || value.size() != map.value_bytes()) return Errno::kInval;
  return map.ops().control.lookup(map, key, value, flags);
}

Result<void> update_elem(Map& map, std::span<const std::byte> key, std::span<const std::byte> value,
                         std::uint64_t flags, FdSource& fds) {
  ClientWrite write(map);
  RING3_TRY(write.begun());
  RING3_TRY(check_lock_flag(map, flags));
  if (!map.ops().control.update) return map.ops().control.missing;
  if (!key_fits(map, key) || value.size() != map.value_bytes()) return Errno::kInval;
  return map.ops().control.update(map, key, value, flags, fds);
}

Result<void> delete_elem(Map& map, std::span<const std::byte> key) {
  ClientWrite write(map);
  RING3_TRY(write.begun());
  if (!map.ops().control.erase) return map.ops().control.missing;
  if (!key_fits(map, key)) return Errno::kInval;
  return map.ops().control.erase(map, key);
}

Result<void> lookup_and_delete_elem(Map& map, std::span<const std::byte> key, std::span<std::byte> value,
                                    std::uint64_t flags) {
  if (flags & ~std::uint64_t{uapi::BPF_F_LOCK}) return Errno::kInval;
  ClientWrite write(map);
  RING3_TRY(write.begun());
  RING3_TRY(check_lock_flag(map, flags));
  if (!map.ops().control.lookup_and_erase) return Errno::kNotSupp;
  if (!key_fits(map, key) || value.size() != map.value_bytes()) return Errno::kInval;
  return map.ops().control.lookup_and_erase(map, key, value, flags);
}

Result<void> next_key(Map& map, std::span<const std::byte> key, std::span<std::byte> next) {
  if (!map.ops().control.next_key) return map.ops().control.missing;
  if ((!key.empty() && !key_fits(map, key)) || next.size() != map.key_size()) return Errno::kInval;
  return map.ops().control.next_key(map, key, next);
}

}  // namespace ring3::maps
