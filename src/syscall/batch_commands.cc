// Many elements in one command. count in: room or elements given; count out: elements done, also after an error.
//
// A walk goes on where the client's cursor says: of a hash the number of the next bucket, which is read whole; of other kinds the key it
// saw last. So nothing is kept here between two commands.
#include <cstring>

#include "base/try.h"
#include "maps/client_access.h"
#include "syscall/element_access.h"
#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

using maps::BatchForms;

struct Batch {
  Call::OpenMap open;
  std::uint32_t room;
  std::size_t key_bytes, value_bytes;

  maps::Map& map() const { return *open.map; }
};

enum class Needs : std::uint8_t { kRead, kWrite, kBoth };

/// The checks in Linux's order. An empty batch, and one that is refused, leave the count as it was.
Result<Batch> begin(Call& call, uapi::bpf_attr& attr, Needs needs, BatchForms form) {
  Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.batch.map_fd)));
  if (needs != Needs::kWrite && !open.may_read()) return Errno::kPerm;
  if (needs != Needs::kRead) {
    if (!open.may_write()) return Errno::kPerm;
    RING3_TRY(maps::ClientWrite(*open.map).begun());
  }
  const maps::ControlOps& control = open.map->ops().control;
  if (control.batch < form) return Errno::kNotSupp;
  RING3_TRY(maps::check_batch_flags(*open.map, attr.batch.elem_flags));
  const bool by_parts = needs != Needs::kWrite && control.batch_part != nullptr;
  if (by_parts && attr.batch.flags != 0) return Errno::kInval;
  const std::uint32_t room = attr.batch.count;
  if (room != 0) attr.batch.count = 0;
  const std::size_t key_bytes = open.map->key_size(), value_bytes = open.map->value_bytes();
  return Batch{std::move(open), room, key_bytes, value_bytes};
}

Result<void> give_element(Call& call, uapi::bpf_attr& attr, const Batch& batch, std::span<const std::byte> key, std::span<const std::byte> value) {
  const std::uint64_t done = attr.batch.count;
  RING3_TRY(call.memory().write(attr.batch.keys + done * batch.key_bytes, key));
  RING3_TRY(call.memory().write(attr.batch.values + done * batch.value_bytes, value));
  ++attr.batch.count;
  return {};
}

/// Puts the elements of a part where the client wants them.
class ToClient final : public maps::BatchEmit {
 public:
  ToClient(Call& call, uapi::bpf_attr& attr, const Batch& batch) : call_(call), attr_(attr), batch_(batch) {}
  Result<void> element(std::span<const std::byte> key, std::span<const std::byte> value) override {
    return give_element(call_, attr_, batch_, key, value);
  }

 private:
  Call& call_;
  uapi::bpf_attr& attr_;
  const Batch& batch_;
};

/// A part comes whole or not at all: kNoSpc when not even the first one fits.
Result<long> read_parts(Call& call, uapi::bpf_attr& attr, const Batch& batch, bool and_delete) {
  std::uint32_t cursor = 0;
  if (attr.batch.in_batch != 0) cursor = RING3_TRY(call.memory().read_value<std::uint32_t>(attr.batch.in_batch));
  const std::uint32_t begun_at = cursor;
  const auto read = batch.map().ops().control.batch_part;
  ToClient out(call, attr, batch);
  Result<void> status;
  for (;; ++cursor) {
    status = read(batch.map(), cursor, batch.room - attr.batch.count, and_delete, attr.batch.elem_flags, out);
    if (!status.ok()) break;
  }
  const bool ended = status.error() == Errno::kNoEnt, full = status.error() == Errno::kNoSpc;
  if (!ended && !full) return status.error();
  if (ended && cursor == begun_at) return Errno::kNoEnt;  // there was nothing to go on with
  RING3_TRY(call.memory().write_value(attr.batch.out_batch, cursor));
  if (ended) return Errno::kNoEnt;
  return attr.batch.count != 0 ? Result<long>(0L) : Errno::kNoSpc;
}

Result<long> read_by_keys(Call& call, uapi::bpf_attr& attr, const Batch& batch) {
  std::vector<std::byte> at, key(batch.key_bytes), value(batch.value_bytes);
  if (attr.batch.in_batch != 0) at = RING3_TRY(call.memory().read_array<std::byte>(attr.batch.in_batch, batch.key_bytes));
  Result<void> status;
  while (attr.batch.count < batch.room) {
    status = maps::next_key(batch.map(), at, key);
    if (!status.ok()) break;
    at = key;
    status = maps::lookup_elem(batch.map(), key, value, attr.batch.elem_flags);
    if (!status.ok() && status.error() == Errno::kNoEnt) continue;  // deleted by somebody else meanwhile
    if (!status.ok()) return status.error();
    RING3_TRY(give_element(call, attr, batch, key, value));
  }
  if (attr.batch.count != 0) RING3_TRY(call.memory().write(attr.batch.out_batch, at));
  if (!status.ok()) return status.error();
  return 0L;
}

}  // namespace

Result<long> map_lookup_batch(Call& call, uapi::bpf_attr& attr) {
  const Batch batch = RING3_TRY(begin(call, attr, Needs::kRead, BatchForms::kFixed));
  if (batch.room == 0) return 0L;
  return batch.map().ops().control.batch_part != nullptr ? read_parts(call, attr, batch, false) : read_by_keys(call, attr, batch);
}

Result<long> map_lookup_and_delete_batch(Call& call, uapi::bpf_attr& attr) {
  const Batch batch = RING3_TRY(begin(call, attr, Needs::kBoth, BatchForms::kTaking));
  if (batch.room == 0) return 0L;
  const maps::ClientWrite write(batch.map());
  RING3_TRY(write.begun());
  return read_parts(call, attr, batch, true);
}

Result<long> map_update_batch(Call& call, uapi::bpf_attr& attr) {
  const Batch batch = RING3_TRY(begin(call, attr, Needs::kWrite, BatchForms::kFixed));
  for (std::uint64_t i = 0; i < batch.room; ++i) {
    const auto key = RING3_TRY(
        call.memory().read_array<std::byte>(attr.batch.keys + i * batch.key_bytes, batch.key_bytes));
    const auto value = RING3_TRY(
        call.memory().read_array<std::byte>(attr.batch.values + i * batch.value_bytes, batch.value_bytes));
    RING3_TRY(update_explained(call, batch.map(), key, value, attr.batch.elem_flags));
    ++attr.batch.count;
  }
  return 0L;
}

Result<long> map_delete_batch(Call& call, uapi::bpf_attr& attr) {
  const Batch batch = RING3_TRY(begin(call, attr, Needs::kWrite, BatchForms::kKeyed));
  for (std::uint64_t i = 0; i < batch.room; ++i) {
    const auto key = RING3_TRY(
        call.memory().read_array<std::byte>(attr.batch.keys + i * batch.key_bytes, batch.key_bytes));
    RING3_TRY(maps::delete_elem(batch.map(), key));
    ++attr.batch.count;
  }
  return 0L;
}

}  // namespace ring3::syscall
