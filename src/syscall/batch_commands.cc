// Many elements in one command. count in: room or elements given; count out: elements done, also after an error.
#include "base/try.h"
#include "maps/client_access.h"
#include "syscall/element_access.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

struct Batch {
  Call::OpenMap open;
  std::uint32_t room;
  std::size_t key_bytes, value_bytes;
};

enum class Needs : std::uint8_t { kRead, kWrite, kBoth };

Result<Batch> begin(Call& call, uapi::bpf_attr& attr, Needs needs) {
  Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.batch.map_fd)));
  if (needs != Needs::kWrite && !open.may_read()) return Errno::kPerm;
  if (needs != Needs::kRead && !open.may_write()) return Errno::kPerm;
  const maps::ControlOps& control = open.map->ops().control;
  if (!control.batch) return Errno::kNotSupp;
  if (attr.batch.flags != 0) return Errno::kInval;
  const std::uint32_t room = attr.batch.count;
  attr.batch.count = 0;
  const std::size_t key_bytes = open.map->key_size(), value_bytes = open.map->value_bytes();
  return Batch{std::move(open), room, key_bytes, value_bytes};
}

bool is_hash(const maps::Map& map) {
  switch (map.spec().type) {
    case uapi::BPF_MAP_TYPE_HASH:
    case uapi::BPF_MAP_TYPE_PERCPU_HASH:
    case uapi::BPF_MAP_TYPE_LRU_HASH:
    case uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH: return true;
    default: return false;
  }
}

/// Where the walk starts: after this key; empty: at the first. kNoEnt: an ended walk was asked to go on.
Result<std::vector<std::byte>> walk_start(Call& call, const uapi::bpf_attr& attr, const Batch& batch) {
  if (attr.batch.in_batch == 0) return std::vector<std::byte>();
  if (!is_hash(*batch.open.map)) return call.memory().read_array<std::byte>(attr.batch.in_batch, batch.key_bytes);
  const std::uint32_t token = RING3_TRY(call.memory().read_value<std::uint32_t>(attr.batch.in_batch));
  if (token == BatchCursors::kEnd) return Errno::kNoEnt;
  return call.kernel().batch_cursors().find(batch.open.map->id(), token);
}

Result<void> store_walk(Call& call, const uapi::bpf_attr& attr, const Batch& batch, std::vector<std::byte> key,
                        bool ended) {
  if (!is_hash(*batch.open.map)) {
    if (key.empty()) return {};
    return call.memory().write(attr.batch.out_batch, key);
  }
  const std::uint32_t token =
      ended ? BatchCursors::kEnd : call.kernel().batch_cursors().keep(batch.open.map->id(), std::move(key));
  return call.memory().write_value(attr.batch.out_batch, token);
}

Result<long> read_batch(Call& call, uapi::bpf_attr& attr, bool and_delete) {
  Batch batch = RING3_TRY(begin(call, attr, and_delete ? Needs::kBoth : Needs::kRead));
  if ((attr.batch.elem_flags & ~std::uint64_t{uapi::BPF_F_LOCK}) != 0) return Errno::kInval;
  maps::Map& map = *batch.open.map;
  if (and_delete && map.ops().control.lookup_and_erase == nullptr) return Errno::kNotSupp;
  if (batch.room == 0) return 0L;
  std::vector<std::byte> at = RING3_TRY(walk_start(call, attr, batch));
  std::vector<std::byte> key(batch.key_bytes), value(batch.value_bytes);

  Result<void> status;
  while (attr.batch.count < batch.room) {
    // Deleting takes the place of the walk away, so that walk always goes on at the first element left.
    status = maps::next_key(map, and_delete ? std::span<const std::byte>() : std::span<const std::byte>(at), key);
    if (!status.ok()) break;
    status = and_delete ? maps::lookup_and_delete_elem(map, key, value, attr.batch.elem_flags)
                        : maps::lookup_elem(map, key, value, attr.batch.elem_flags);
    at = key;
    if (!status.ok() && status.error() == Errno::kNoEnt) continue;  // deleted by somebody else meanwhile
    if (!status.ok()) break;
    const std::uint64_t done = attr.batch.count;
    RING3_TRY(call.memory().write(attr.batch.keys + done * batch.key_bytes, key));
    RING3_TRY(call.memory().write(attr.batch.values + done * batch.value_bytes, value));
    ++attr.batch.count;
  }
  const bool ended = !status.ok() && status.error() == Errno::kNoEnt;
  RING3_TRY(store_walk(call, attr, batch, std::move(at), ended));
  if (!status.ok()) return status.error();
  return 0L;
}

}  // namespace

Result<long> map_lookup_batch(Call& call, uapi::bpf_attr& attr) { return read_batch(call, attr, false); }
Result<long> map_lookup_and_delete_batch(Call& call, uapi::bpf_attr& attr) { return read_batch(call, attr, true); }

Result<long> map_update_batch(Call& call, uapi::bpf_attr& attr) {
  const Batch batch = RING3_TRY(begin(call, attr, Needs::kWrite));
  for (std::uint64_t i = 0; i < batch.room; ++i) {
    const auto key = RING3_TRY(
        call.memory().read_array<std::byte>(attr.batch.keys + i * batch.key_bytes, batch.key_bytes));
    const auto value = RING3_TRY(
        call.memory().read_array<std::byte>(attr.batch.values + i * batch.value_bytes, batch.value_bytes));
    RING3_TRY(update_explained(call, *batch.open.map, key, value, attr.batch.elem_flags));
    ++attr.batch.count;
  }
  return 0L;
}

Result<long> map_delete_batch(Call& call, uapi::bpf_attr& attr) {
  const Batch batch = RING3_TRY(begin(call, attr, Needs::kWrite));
  if ((attr.batch.elem_flags & ~std::uint64_t{uapi::BPF_F_LOCK}) != 0) return Errno::kInval;
  for (std::uint64_t i = 0; i < batch.room; ++i) {
    const auto key = RING3_TRY(
        call.memory().read_array<std::byte>(attr.batch.keys + i * batch.key_bytes, batch.key_bytes));
    RING3_TRY(maps::delete_elem(*batch.open.map, key));
    ++attr.batch.count;
  }
  return 0L;
}

}  // namespace ring3::syscall
