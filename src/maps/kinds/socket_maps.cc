// Maps of sockets: sockmap, sockhash, xskmap, reuseport_sockarray. A host has no sockets that a program could be
// handed, so nothing can be put in; what a client asks is answered as for an empty map of Linux.
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/target_maps.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kFlags = uapi::BPF_F_NUMA_NODE | uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY;
constexpr std::uint32_t kMaxKey = 512;  // of a sockhash: what a program's stack holds

bool known_flags(std::uint64_t flags) { return flags <= uapi::BPF_EXIST; }

Result<void> check_sockmap(const MapSpec& spec) { return check_target_array(spec, kFlags, is_target_value(spec)); }

Result<void> check_sockhash(const MapSpec& spec) {
  if (spec.max_entries == 0 || spec.key_size == 0 || !is_target_value(spec) || (spec.flags & ~kFlags) != 0)
    return Errno::kInval;
  if (spec.key_size > kMaxKey) return Errno::kTooBig;
  return {};
}

Result<void> check_xskmap(const MapSpec& spec) { return check_target_array(spec, kFlags, spec.value_size == 4); }

Result<void> check_reuseport(const MapSpec& spec) {
  if (!is_target_value(spec)) return Errno::kInval;
  return check_array_attr(spec, uapi::BPF_F_NUMA_NODE | kAccessFlags);
}

template <const MapOps& Ops>
Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  return EmptyMap::make(Ops, spec, host);
}

/// Sockets show as 64-bit cookies: a map with 4-byte values cannot say them.
Result<void> lookup_cookie(Map&, std::span<const std::byte>, std::span<std::byte> value, std::uint64_t) {
  return value.size() == sizeof(std::uint64_t) ? Errno::kNoEnt : Errno::kNoSpc;
}

Result<void> no_lookup(Map&, std::span<const std::byte>, std::span<std::byte>, std::uint64_t) { return Errno::kOpNotSupp; }

/// The socket is looked at before the place it should go to.
Result<void> update_socket_first(Map&, std::span<const std::byte>, std::span<const std::byte> value, std::uint64_t,
                                 FdSource& fds) {
  return no_socket(value, fds, Errno::kOpNotSupp);
}

/// The place is looked at before the socket.
Result<void> check_place(const Map& m, std::span<const std::byte> key, std::uint64_t flags) {
  if (!known_flags(flags)) return Errno::kInval;
  return array_index(key.data()) < m.max_entries() ? Result<void>() : Result<void>(Errno::kTooBig);
}

Result<void> update_xskmap(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                           std::uint64_t flags, FdSource& fds) {
  RING3_TRY(check_place(m, key, flags));
  return no_socket(value, fds, Errno::kOpNotSupp);
}

/// An existing element is looked for before the socket's group is, and there is none.
Result<void> update_reuseport(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                              std::uint64_t flags, FdSource& fds) {
  RING3_TRY(check_place(m, key, flags));
  return no_socket(value, fds, flags == uapi::BPF_EXIST ? Errno::kNoEnt : Errno::kInval);
}

Result<void> erase_sockmap(Map&, std::span<const std::byte>) { return Errno::kInval; }
Result<void> erase_sockhash(Map&, std::span<const std::byte>) { return Errno::kNoEnt; }
/// Emptying an empty slot is no error here.
Result<void> erase_xskmap(Map& m, std::span<const std::byte> key) {
  return array_index(key.data()) < m.max_entries() ? Result<void>() : Result<void>(Errno::kInval);
}
Result<void> erase_reuseport(Map& m, std::span<const std::byte> key) {
  return array_index(key.data()) < m.max_entries() ? Errno::kNoEnt : Errno::kTooBig;
}
Result<void> no_next_key(Map&, std::span<const std::byte>, std::span<std::byte>) { return Errno::kNoEnt; }

// A program names sockets by pointers that only a context or a lookup gives.
long no_program_update(Map&, const void*, const void*, std::uint64_t) noexcept { return to_syscall(Errno::kOpNotSupp); }
long erase_from_sockmap(Map&, const void*) noexcept { return to_syscall(Errno::kInval); }
long erase_from_sockhash(Map&, const void*) noexcept { return to_syscall(Errno::kNoEnt); }

}  // namespace

const MapOps sockmap_ops = {
    .type = uapi::BPF_MAP_TYPE_SOCKMAP,
    .name = "sockmap",
    .control = {.check = check_sockmap,
                .check_btf = refuse_btf,
                .create = create<sockmap_ops>,
                .lookup = lookup_cookie,
                .update = update_socket_first,
                .erase = erase_sockmap,
                .next_key = array_next_key,
                .memory_bytes = empty_map_bytes},
    .data = {.lookup = find_nothing, .update = no_program_update, .erase = erase_from_sockmap},
    .codegen = {},
};

const MapOps sockhash_ops = {
    .type = uapi::BPF_MAP_TYPE_SOCKHASH,
    .name = "sockhash",
    .control = {.check = check_sockhash,
                .check_btf = refuse_btf,
                .create = create<sockhash_ops>,
                .lookup = lookup_cookie,
                .update = update_socket_first,
                .erase = erase_sockhash,
                .next_key = no_next_key,
                .memory_bytes = empty_map_bytes},
    .data = {.lookup = find_nothing, .update = no_program_update, .erase = erase_from_sockhash},
    .codegen = {},
};

const MapOps xskmap_ops = {
    .type = uapi::BPF_MAP_TYPE_XSKMAP,
    .name = "xskmap",
    .control = {.check = check_xskmap,
                .check_btf = refuse_btf,
                .create = create<xskmap_ops>,
                .lookup = no_lookup,
                .update = update_xskmap,
                .erase = erase_xskmap,
                .next_key = array_next_key,
                .memory_bytes = empty_map_bytes},
    .data = {.lookup = find_nothing},
    .codegen = {},
};

const MapOps reuseport_sockarray_ops = {
    .type = uapi::BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
    .name = "reuseport_sockarray",
    .control = {.check = check_reuseport,
                .create = create<reuseport_sockarray_ops>,
                .lookup = lookup_cookie,
                .update = update_reuseport,
                .erase = erase_reuseport,
                .next_key = array_next_key,
                .memory_bytes = empty_map_bytes},
    .data = {.lookup = find_nothing},
    .codegen = {},
};

}  // namespace ring3::maps
