// Sockets, routes and devices: a process has none of the kernel's, and these helpers say so as Linux says "there is none".
//
// A lookup finds no socket, so no program ever holds one: what takes a socket is only reached in programs, never in runs,
// and answers as for a socket that is none of the wanted kind. Which helpers are left out (storage, SYN cookies) is
// refused at load: they would have to do something.
#include "exec/helpers/rows.h"
#include "exec/packet.h"

namespace ring3::exec {
namespace {

std::uint64_t no_socket(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return 0; }

/// What Linux answers for packets without a socket: no cookie, and the overflow user.
std::uint64_t no_cookie(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return 0; }
constexpr std::uint64_t kOverflowUser = 65534;
std::uint64_t overflow_user(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  return kOverflowUser;
}

constexpr std::uint64_t kRouteFlags = 0x3f;       // BPF_FIB_LOOKUP_*
constexpr std::uint32_t kRouteParamsBytes = 64;   // struct bpf_fib_lookup, which begins with the address family
constexpr std::uint8_t kInet = 2, kInet6 = 10;
constexpr long kNoSuchFamily = 97;                // EAFNOSUPPORT

std::uint64_t no_route(std::uint64_t, std::uint64_t params, std::uint64_t size, std::uint64_t flags, std::uint64_t, RunContext&) {
  if (static_cast<std::uint32_t>(size) < kRouteParamsBytes || (static_cast<std::uint32_t>(flags) & ~kRouteFlags) != 0)
    return error_register(Errno::kInval);
  const std::uint8_t family = *pointer_register<std::uint8_t>(params);
  return family == kInet || family == kInet6 ? error_register(Errno::kNoDev) : to_register(-kNoSuchFamily);
}

/// Of the task's cgroup: tasks here are in none, and 0 is what those have that were given no class.
std::uint64_t no_class(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) { return 0; }

/// A socket lookup's choice: none, which is what there is to choose.
constexpr std::uint64_t kAssignFlags = 3;   // BPF_SK_LOOKUP_F_*
constexpr long kNoSuchSocketType = 94;      // ESOCKTNOSUPPORT
std::uint64_t assign(std::uint64_t, std::uint64_t socket, std::uint64_t flags, std::uint64_t, std::uint64_t, RunContext&) {
  if ((flags & ~kAssignFlags) != 0) return error_register(Errno::kInval);
  return socket == 0 ? 0 : to_register(-kNoSuchSocketType);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_cgroup_classid, no_class),
    RING3_HELPER(sk_lookup_tcp, no_socket),
    RING3_HELPER(sk_lookup_udp, no_socket),
    RING3_HELPER(skc_lookup_tcp, no_socket),
    RING3_HELPER(sk_release, no_socket),
    RING3_HELPER(sk_fullsock, no_socket),
    RING3_HELPER(tcp_sock, no_socket),
    RING3_HELPER(get_listener_sock, no_socket),
    RING3_HELPER(skc_to_tcp6_sock, no_socket),
    RING3_HELPER(skc_to_tcp_sock, no_socket),
    RING3_HELPER(skc_to_tcp_timewait_sock, no_socket),
    RING3_HELPER(skc_to_tcp_request_sock, no_socket),
    RING3_HELPER(skc_to_udp6_sock, no_socket),
    RING3_HELPER(skc_to_unix_sock, no_socket),
    RING3_HELPER(skc_to_mptcp_sock, no_socket),
    RING3_HELPER(get_socket_cookie, no_cookie),
    RING3_HELPER(get_socket_uid, overflow_user),
    RING3_HELPER(fib_lookup, no_route),
    RING3_HELPER(sk_assign, assign),
};

}  // namespace

HelperRows network_helpers() { return kRows; }

}  // namespace ring3::exec
