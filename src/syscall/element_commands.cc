// One element of a map: lookup, update, delete, walk (behaviour.md B.3.2). The kinds and the frozen state are
// maps/client_access.h's; here are access modes and the copies from and to the caller.
#include <cstring>

#include "base/try.h"
#include "maps/client_access.h"
#include "maps/map_check.h"
#include "syscall/element_access.h"
#include "syscall/handlers.h"

namespace ring3::syscall {

Result<Ref<Object>> CallFds::object(std::int32_t fd, ObjectKind kind) {
  OpenObject open = RING3_TRY(call_.object(fd));
  if (open.object->kind() != kind) return Errno::kInval;
  // What goes into a slot can be fetched by programs with full access, so a restricted map descriptor must not
  // get there (behaviour.md B.3.5, B.11.1).
  if (kind == ObjectKind::kMap && open.access != Access::kReadWrite) {
    call_.explain("a map descriptor with restricted access cannot be stored in a map");
    return Errno::kPerm;
  }
  return std::move(open.object);
}

Result<bool> CallFds::is_socket(std::int32_t fd) {
  OwnedFd open;
  const FileIdentity file = RING3_TRY(call_.caller().files().identify(fd, open));
  return file.socket;
}

namespace {

/// Filling a struct_ops map of the classic flavour registers it at once: that would be seen before the load is committed.
Result<void> check_waits_for_commit(Call& call, const maps::Map& map) {
  const LoadSession* session = call.caller().session();
  if (session == nullptr || !session->open()) return {};
  if (map.ops().type != uapi::BPF_MAP_TYPE_STRUCT_OPS || (map.spec().flags & uapi::BPF_F_LINK) != 0) return {};
  call.explain("inside a load a struct_ops map is registered by a link: make it with BPF_F_LINK");
  return Errno::kOpNotSupp;
}

/// Clients name a task by a pidfd, the map by the thread's number.
Result<void> name_task(Call& call, std::vector<std::byte>& key) {
  std::int32_t number;
  std::memcpy(&number, key.data(), sizeof number);
  number = RING3_TRY(call.caller().files().process(number));
  std::memcpy(key.data(), &number, sizeof number);
  return {};
}

}  // namespace

Result<void> update_explained(Call& call, maps::Map& map, std::span<const std::byte> key, std::span<const std::byte> value,
                              std::uint64_t flags) {
  CallFds fds(call);
  Result<void> done = maps::update_elem(map, key, value, flags, fds);
  if (!done.ok() && done.error() == Errno::kNoMem)
    if (const std::string text = maps::memory_text(map); !text.empty()) call.explain(text);
  return done;
}

Result<std::vector<std::byte>> read_key(Call& call, const maps::Map& map, std::uint64_t address) {
  if (map.key_size() == 0) {
    if (address != 0) return Errno::kInval;
    return std::vector<std::byte>();
  }
  std::vector<std::byte> key = RING3_TRY(call.memory().read_array<std::byte>(address, map.key_size()));
  if (map.ops().type == uapi::BPF_MAP_TYPE_TASK_STORAGE) RING3_TRY(name_task(call, key));
  return key;
}

Result<long> map_lookup_elem(Call& call, uapi::bpf_attr& attr) {
  if ((attr.flags & ~std::uint64_t{uapi::BPF_F_LOCK}) != 0) return Errno::kInval;
  const Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.map_fd)));
  if (!open.may_read()) return Errno::kPerm;
  const std::vector<std::byte> key = RING3_TRY(read_key(call, *open.map, attr.key));
  // A bloom filter is asked about the caller's value and gives nothing back.
  const bool asks = open.map->ops().control.lookup_asks;
  std::vector<std::byte> value =
      asks ? RING3_TRY(call.memory().read_array<std::byte>(attr.value, open.map->value_bytes()))
           : std::vector<std::byte>(open.map->value_bytes());
  RING3_TRY(maps::lookup_elem(*open.map, key, value, attr.flags));
  if (!asks) RING3_TRY(call.memory().write(attr.value, value));
  return 0L;
}

Result<long> map_update_elem(Call& call, uapi::bpf_attr& attr) {
  const Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.map_fd)));
  if (!open.may_write()) return Errno::kPerm;
  const std::vector<std::byte> key = RING3_TRY(read_key(call, *open.map, attr.key));
  const std::vector<std::byte> value =
      RING3_TRY(call.memory().read_array<std::byte>(attr.value, open.map->value_bytes()));
  RING3_TRY(check_waits_for_commit(call, *open.map));
  RING3_TRY(update_explained(call, *open.map, key, value, attr.flags));
  return 0L;
}

Result<long> map_delete_elem(Call& call, uapi::bpf_attr& attr) {
  const Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.map_fd)));
  if (!open.may_write()) return Errno::kPerm;
  const std::vector<std::byte> key = RING3_TRY(read_key(call, *open.map, attr.key));
  RING3_TRY(maps::delete_elem(*open.map, key));
  return 0L;
}

Result<long> map_get_next_key(Call& call, uapi::bpf_attr& attr) {
  const Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.map_fd)));
  if (!open.may_read()) return Errno::kPerm;
  std::vector<std::byte> key;
  if (attr.key != 0) key = RING3_TRY(read_key(call, *open.map, attr.key));
  std::vector<std::byte> next(open.map->key_size());
  RING3_TRY(maps::next_key(*open.map, key, next));
  RING3_TRY(call.memory().write(attr.next_key, next));
  return 0L;
}

Result<long> map_lookup_and_delete_elem(Call& call, uapi::bpf_attr& attr) {
  if ((attr.flags & ~std::uint64_t{uapi::BPF_F_LOCK}) != 0) return Errno::kInval;
  const Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.map_fd)));
  if (!open.may_read() || !open.may_write()) return Errno::kPerm;
  const std::vector<std::byte> key = RING3_TRY(read_key(call, *open.map, attr.key));
  std::vector<std::byte> value(open.map->value_bytes());
  RING3_TRY(maps::lookup_and_delete_elem(*open.map, key, value, attr.flags));
  RING3_TRY(call.memory().write(attr.value, value));
  return 0L;
}

}  // namespace ring3::syscall
