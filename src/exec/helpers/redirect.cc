// Redirects of XDP frames: by interface number, or by a map of targets. A process has no CPU queues and no XDP sockets, so that maps of
// those are empty (maps/kinds/target_maps.h), and what is redirected through them takes the action given for that case.
#include "exec/redirect.h"

#include <cstring>

#include "exec/helpers/rows.h"
#include "maps/map.h"

namespace ring3::exec {
namespace {

constexpr std::uint64_t kXdpAborted = 0, kXdpRedirect = 4, kActions = 3;
constexpr std::uint64_t kBroadcast = 8, kExcludeIngress = 16;  // BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS

std::uint64_t redirect(std::uint64_t ifindex, std::uint64_t flags, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  if (flags != 0) return kXdpAborted;
  last_redirect() = {.device = static_cast<std::uint32_t>(ifindex)};
  return kXdpRedirect;
}

std::uint64_t redirect_map(std::uint64_t target, std::uint64_t key, std::uint64_t flags, std::uint64_t, std::uint64_t, RunContext&) {
  maps::Map& map = *pointer_register<maps::Map>(target);
  const bool of_devices = map.ops().type == uapi::BPF_MAP_TYPE_DEVMAP || map.ops().type == uapi::BPF_MAP_TYPE_DEVMAP_HASH;
  if ((flags & ~(kActions | (of_devices ? kBroadcast | kExcludeIngress : 0))) != 0) return kXdpAborted;
  const auto index = static_cast<std::uint32_t>(key);
  const void* const value = map.ops().data.lookup(map, &index);
  if ((flags & kBroadcast) != 0) {
    last_redirect() = {.map = &map, .spares_ingress = (flags & kExcludeIngress) != 0};
    return kXdpRedirect;
  }
  if (value == nullptr) return flags & kActions;
  Redirect to;
  std::memcpy(&to.device, value, sizeof to.device);
  last_redirect() = to;
  return kXdpRedirect;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(redirect_map, redirect_map),
};
// tc's redirect of the same number answers otherwise, and hosts' hooks have nowhere to send to: it is not provided.
constexpr rewrite::HelperCall kXdpRows[] = {{rewrite::kXdpRedirectHelper, "bpf_redirect", redirect}};

}  // namespace

Redirect& last_redirect() noexcept {
  static thread_local Redirect last;
  return last;
}

HelperRows redirect_helpers() { return kRows; }
HelperRows xdp_redirect_helpers() { return kXdpRows; }

}  // namespace ring3::exec
